// SPDX-License-Identifier: Apache-2.0
#include "model_sizes.hpp"

#include "known_ops.hpp"

#include "depthlens/backend/block_sizes.hpp"
#include "depthlens/backend/tensor_set.hpp"

#include <algorithm>
#include <set>

namespace depthlens::torch_backend {

namespace {

constexpr std::uint64_t cpu_pack_tokens = 1024;                              // more does not run faster
constexpr std::uint64_t fewest_pack_tokens = 512, most_pack_tokens = 16384;  // of a GPU
constexpr std::uint32_t large_matrices = 5;                                  // on their way at once
constexpr double default_share = 0.9;  // of what is free on a GPU, where the host says nothing

std::size_t n_tiles(const dlens_architecture& arch, const model_place& on) {
  return (arch.vocab_size + tile_ids(on.kind) - 1) / tile_ids(on.kind);
}

std::size_t tiles_beside(std::uint64_t block_bytes, const dlens_architecture& arch, const model_place& on) {
  const std::uint64_t tile = tile_bytes(arch, on, tile_ids(on.kind));
  return static_cast<std::size_t>(std::clamp<std::uint64_t>(block_bytes / tile, 1, n_tiles(arch, on)));
}

// Of attention, for each token: queries, keys, values and what is mixed of them, and the masks over about two
// packs of keys.
std::uint64_t scratch_of_attention(const dlens_attention& a) {
  const std::uint64_t width = std::max(a.head_dim, a.value_dim), latent = 2ull * (a.q_rank + a.kv_rank);
  return 3ull * a.n_heads * width + 6ull * a.n_kv_heads * width + latent +
         2 * cpu_pack_tokens * (a.n_heads / a.n_kv_heads);
}

// Of a delta rule: its channels in and behind the convolution, and a state for each 64 tokens.
std::uint64_t scratch_of_delta_rule(const dlens_delta_rule& r) {
  const std::uint64_t keys = 2ull * r.n_key_heads * r.key_dim, values = 1ull * r.n_value_heads * r.value_dim;
  return 5 * (keys + 2 * values) + 2 * values * r.key_dim / 64;
}

// Each token goes to several experts.
std::uint64_t scratch_of_experts(const dlens_experts& e, std::uint64_t d) {
  return e.n_used * (3 * d + 4ull * e.d_ff) + 4ull * e.d_shared + 4ull * e.n_experts;
}

// Of a call, for each token of its pack: copies of the stream, and what the widest parts of a block make of
// it.
std::uint64_t scratch_of_token(const owned_architecture& arch) {
  std::uint64_t mixer = 0, channel = 0;
  std::set<std::uint32_t> windows;
  for (const block_shape& b : arch.blocks) {
    if (b.attention) mixer = std::max(mixer, scratch_of_attention(*b.attention));
    if (b.attention) windows.insert(b.attention->window);
    if (b.delta) mixer = std::max(mixer, scratch_of_delta_rule(*b.delta));
    const std::uint64_t experts = b.experts ? scratch_of_experts(*b.experts, arch.all.d_model) : 0;
    channel = std::max(channel, std::uint64_t{4} * b.form.d_ff + experts);
  }
  const std::uint64_t masks = cpu_pack_tokens * 4 * windows.size();
  return sizeof(float) * (6ull * arch.all.d_model + mixer + channel + masks) + 4096;
}

// Of a call with delta rules: the paths that are computed together, with their states.
std::uint64_t scratch_of_paths(const owned_architecture& arch, const model_place& on) {
  std::uint64_t most = 0;
  for (const block_shape& b : arch.blocks) {
    if (!b.delta) continue;
    const std::uint64_t kd = b.delta->key_dim, vd = b.delta->value_dim;
    most = std::max(most, b.delta->n_value_heads * (64 * (4 * kd + 5 * vd + 4 * 64) + 3 * kd * vd));
  }
  return sizeof(float) * paths_at_once(on.kind) * most;
}

// Of a pass between its stages, for each token besides the stream: layer inputs, and keys and values that
// later blocks take.
std::uint64_t kept_of_token(const owned_architecture& arch, const model_place& on) {
  std::uint64_t shared = 0;
  for (std::uint32_t i = 0; i < arch.n_layers(); ++i) {
    const auto& a = arch.blocks[i].attention;
    if (a && arch.is_shared(i)) shared += 2ull * a->n_kv_heads * a->head_dim;
  }
  const std::uint64_t inputs = arch.layer_inputs ? 1ull * arch.n_layers() * arch.layer_inputs->dim : 0;
  return shared * on.element_bytes + inputs * sizeof(float);
}

// Matrices outside of blocks that are there at all times.
std::uint64_t fixed_numbers(const owned_architecture& arch, const tensor_set& tensors) {
  const std::uint64_t d = arch.all.d_model, projection = d * arch.all.embed_dim;
  const std::uint64_t inputs = arch.layer_inputs ? d * arch.n_layers() * arch.layer_inputs->dim : 0;
  return (tensors.has("in_projection") ? projection : 0) + (tensors.has("out_projection") ? projection : 0) +
         inputs;
}

// Of a call that reads: rows of a stack before and behind a lens and the norm, logits of a tile with what the
// reduction makes of them, and the targets' rows of the unembedding.
std::uint64_t scratch_of_readout(const dlens_architecture& arch, const model_place& on) {
  const std::uint64_t rows = stack_rows(on.kind),
                      tile = std::min<std::uint64_t>(tile_ids(on.kind), arch.vocab_size);
  return sizeof(float) * (3 * rows * arch.d_model + 3 * rows * tile + 3 * tile * arch.embed_dim);
}

// Weights on their way to their place, by several threads at once.
std::uint64_t loading_bytes(const block_sizes& blocks, const model_place& on, std::uint32_t threads) {
  const std::uint64_t at_once = std::clamp(threads, 1u, large_matrices);
  if (on.kind == device_kind::cpu) return at_once * blocks.largest_matrix * on.element_bytes;
  return at_once * std::min<std::uint64_t>(chunk_bytes + sizeof(float) * chunk_values,
                                           2 * sizeof(float) * blocks.largest_matrix);
}

// Half of what the weights leave is for the calls in flight; more than this keeps no GPU busier. Where the
// weights are streamed, the states of a wave take most of it.
std::uint64_t tokens_of_gpu(std::uint64_t budget, std::uint64_t held, std::uint64_t streamed,
                            std::uint64_t token_of_all_calls) {
  const auto left = [&](std::uint64_t weights) { return budget > weights ? budget - weights : 0; };
  const bool fits = left(held) / 2 >= fewest_pack_tokens * token_of_all_calls;
  const std::uint64_t room = fits ? left(held) / 2 : left(streamed) / 4;
  return std::clamp(room / token_of_all_calls, fewest_pack_tokens, most_pack_tokens);
}

}  // namespace

std::uint64_t tile_bytes(const dlens_architecture& arch, const model_place& on, std::size_t ids) {
  // On the CPU tiles are float32: its rounded products would have rounded sums.
  return (on.kind == device_kind::cpu ? sizeof(float) : on.element_bytes) * ids * arch.embed_dim;
}

std::size_t tiles_of_a_stage(const dlens_weights& given, const owned_architecture& arch,
                             const model_place& on) {
  return tiles_beside(block_sizes(tensor_set(given), arch).largest * on.element_bytes, arch.all, on);
}

dlens_model_needs needs_of(const dlens_weights& given, const model_place& on,
                           const dlens_model_options& options) {
  const owned_architecture owned = checked_architecture(given, known_ops);
  const dlens_architecture& arch = owned.all;
  const tensor_set tensors(given);
  const block_sizes blocks(tensors, owned);
  const std::uint64_t fixed = fixed_numbers(owned, tensors) * on.element_bytes;
  const bool gpu = on.kind == device_kind::cuda;
  const std::uint64_t copies = gpu ? 1 : on.devices;  // in the memory that is counted
  const std::uint64_t block = blocks.largest * on.element_bytes;
  const std::size_t tiles = tiles_beside(block, arch, on), stages = (n_tiles(arch, on) + tiles - 1) / tiles;
  const std::uint64_t stage = std::max(
      block, tile_bytes(arch, on, std::min<std::size_t>(tiles * tile_ids(on.kind), arch.vocab_size)));
  const std::uint64_t loading = loading_bytes(blocks, on, options.threads);
  const std::uint64_t held = fixed + blocks.all * on.element_bytes + tile_bytes(arch, on, arch.vocab_size);
  const std::uint64_t stream = sizeof(float) * arch.d_model + 64, states = stream * (arch.n_layers + 1ull);
  const std::uint64_t state = stream + kept_of_token(owned, on);
  const std::uint64_t token = scratch_of_token(owned) + kept_of_token(owned, on) + (gpu ? states : 0);
  dlens_model_needs out{.size = sizeof(dlens_model_needs),
                        .pack_tokens = cpu_pack_tokens,
                        .calls = 0,  // as many as there are threads
                        .stages = arch.n_layers + static_cast<std::uint32_t>(stages == 1 ? 1 : 3 * stages),
                        .held_bytes = copies * held + loading,
                        .streamed_bytes = copies * (fixed + 2 * stage) + loading,
                        .call_bytes = 0,
                        .bytes_per_token = state,
                        .bytes_per_read = states,
                        .kept_token_bytes = 0,
                        .stage_token_bytes = 0,
                        .device_bytes = gpu ? on.device_bytes : 0};
  std::uint64_t shared_by = 1, together = 1;  // calls in flight, and those of them that one device has
  if (gpu) {
    out.calls = calls_of_gpu * on.devices;
    shared_by = std::clamp(options.threads, 1u, out.calls);
    together = (shared_by + on.devices - 1) / on.devices;
    const std::uint64_t budget =
        options.device_memory > 0
            ? options.device_memory
            : static_cast<std::uint64_t>(default_share * static_cast<double>(on.device_bytes));
    out.pack_tokens = static_cast<std::uint32_t>(
        tokens_of_gpu(budget, out.held_bytes, out.streamed_bytes, together * token));
  }
  const std::uint64_t call =
      out.pack_tokens * token + scratch_of_paths(owned, on) + scratch_of_readout(arch, on);
  out.call_bytes = (call * together + shared_by - 1) / shared_by;
  return out;
}

}  // namespace depthlens::torch_backend
