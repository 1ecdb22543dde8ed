// SPDX-License-Identifier: Apache-2.0
#include "model_sizes.hpp"

#include "depthlens/backend/block_sizes.hpp"
#include "depthlens/backend/checked_architecture.hpp"
#include "depthlens/backend/tensor_set.hpp"

#include <algorithm>
#include <set>

namespace depthlens::torch_backend {

namespace {

constexpr std::uint64_t cpu_pack_tokens = 1024;                              // more does not run faster
constexpr std::uint64_t fewest_pack_tokens = 512, most_pack_tokens = 16384;  // of a GPU
constexpr std::uint32_t matrices_of_a_block = 5;
constexpr double default_share = 0.9;  // of what is free on a GPU, where the host says nothing

std::size_t n_tiles(const dlens_architecture& arch, const model_place& on) {
  return (arch.vocab_size + tile_ids(on.kind) - 1) / tile_ids(on.kind);
}

std::size_t tiles_beside(std::uint64_t block_bytes, const dlens_architecture& arch, const model_place& on) {
  const std::uint64_t tile = tile_bytes(arch, on, tile_ids(on.kind));
  return static_cast<std::size_t>(std::clamp<std::uint64_t>(block_bytes / tile, 1, n_tiles(arch, on)));
}

std::uint64_t windows_of(const dlens_architecture& arch) {
  if (arch.window == nullptr) return 1;
  return std::set<std::uint32_t>(arch.window, arch.window + arch.n_layers).size();
}

// Of a call, for each token of its pack: copies of the stream, queries, keys, values, inner values, and the
// mask over about two packs of keys.
std::uint64_t scratch_of_token(const dlens_architecture& arch) {
  const std::uint64_t q = 1ull * arch.n_heads * arch.head_dim, kv = 2ull * arch.n_kv_heads * arch.head_dim;
  const std::uint64_t mask = 2 * cpu_pack_tokens * (arch.n_heads / arch.n_kv_heads) * windows_of(arch);
  return sizeof(float) * (6ull * arch.d_model + 3 * q + 3 * kv + 4ull * arch.d_ff + mask) + 4096;
}

// Of a call that reads: rows of a stack before and behind a lens and the norm, logits of a tile with what the
// reduction makes of them, and the targets' rows of the unembedding.
std::uint64_t scratch_of_readout(const dlens_architecture& arch, const model_place& on) {
  const std::uint64_t rows = stack_rows(on.kind),
                      tile = std::min<std::uint64_t>(tile_ids(on.kind), arch.vocab_size);
  return sizeof(float) * (3 * rows * arch.d_model + 3 * rows * tile + 3 * tile * arch.d_model);
}

// Weights on their way to their place, by several threads at once.
std::uint64_t loading_bytes(const block_sizes& blocks, const model_place& on, std::uint32_t threads) {
  const std::uint64_t at_once = std::clamp(threads, 1u, matrices_of_a_block);
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
  return (on.kind == device_kind::cpu ? sizeof(float) : on.element_bytes) * ids * arch.d_model;
}

std::size_t tiles_of_a_stage(const dlens_weights& given, const model_place& on) {
  return tiles_beside(block_sizes(tensor_set(given), *given.architecture).largest * on.element_bytes,
                      *given.architecture, on);
}

dlens_model_needs needs_of(const dlens_weights& given, const model_place& on,
                           const dlens_model_options& options) {
  const dlens_architecture& arch = checked_architecture(given);
  const block_sizes blocks(tensor_set(given), arch);
  const bool gpu = on.kind == device_kind::cuda;
  const std::uint64_t copies = gpu ? 1 : on.devices;  // in the memory that is counted
  const std::uint64_t block = blocks.largest * on.element_bytes;
  const std::size_t tiles = tiles_beside(block, arch, on), stages = (n_tiles(arch, on) + tiles - 1) / tiles;
  const std::uint64_t stage = std::max(
      block, tile_bytes(arch, on, std::min<std::size_t>(tiles * tile_ids(on.kind), arch.vocab_size)));
  const std::uint64_t loading = loading_bytes(blocks, on, options.threads);
  const std::uint64_t held = blocks.all * on.element_bytes + tile_bytes(arch, on, arch.vocab_size);
  const std::uint64_t state = sizeof(float) * arch.d_model + 64, states = state * (arch.n_layers + 1ull);
  const std::uint64_t token = scratch_of_token(arch) + (gpu ? states : 0);
  dlens_model_needs out{.size = sizeof(dlens_model_needs),
                        .pack_tokens = cpu_pack_tokens,
                        .calls = 0,  // as many as there are threads
                        .stages = arch.n_layers + static_cast<std::uint32_t>(stages == 1 ? 1 : 3 * stages),
                        .held_bytes = copies * held + loading,
                        .streamed_bytes = copies * 2 * stage + loading,
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
  const std::uint64_t call = out.pack_tokens * token + scratch_of_readout(arch, on);
  out.call_bytes = (call * together + shared_by - 1) / shared_by;
  return out;
}

}  // namespace depthlens::torch_backend
