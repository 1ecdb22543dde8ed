// SPDX-License-Identifier: Apache-2.0
// A pack (dlens_batch of abi/backend.h) is the tokens of several prompts as a tree, shared beginnings once.
// It goes through the model block by block (block.cpp), in tree order: depth first. Keys and values exist for
// one block at a time, but for those that are kept for later packs (kept_path.hpp). The last block computes
// keys and values of all tokens, and the rest at the sites: the tokens that are read.
#include "pass.hpp"

#include "product_rate.hpp"
#include "single_thread.hpp"

#include "depthlens/base/error.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace depthlens::cpu {

namespace {

constexpr std::uint32_t pack_tokens = 1024;  // more does not run faster

precision checked_options(const dlens_model_options& options) {
  const std::string_view device = options.device ? options.device : "auto";
  const std::string_view form = options.precision ? options.precision : "f32";
  if (device != "auto" && device != "cpu") {
    fail(status::unavailable, "the cpu backend has no device ", device,
         "; use --device cpu or another backend");
  }
  if (form == "f32") return precision::f32;
  if (form == "bf16") return precision::bf16;
  fail(status::unavailable, "the cpu backend computes in f32 or bf16, not in ", form,
       "; use --precision f32 or bf16");
}

// The rows `from` of the stream, one behind the other.
void copy_rows(const float_rows& stream, const std::vector<std::uint32_t>& from, const float_rows& to) {
  for (std::size_t i = 0; i < from.size(); ++i) std::copy_n(stream.row(from[i]), stream.width, to.row(i));
}

}  // namespace

model::model(const dlens_weights& weights, const dlens_model_options& options)
    : arch_(checked_architecture(weights)),
      tables_(take_tables(arch_)),
      kernels_(kernels()),
      precision_(checked_options(options)),
      shapes_(precision_) {
  weights_ = load_weights(weights, shapes_, options.threads);
  // The shape in which the readout multiplies targets; made here, so that no forward call has to make it.
  run_single_threaded([&] { shapes_.get(arch_.d_model, targets_at_once); });
  make_info();
}

void model::make_info() {
  device_text_ = cat("cpu (", kernels_.name, "), ", matmul_description(),
                     shapes_.rows_are_independent() ? "" : ", last bits depend on the pack");
  weights_text_ = shapes_.form();
  // The stream, all states of a token that is read, queries, keys and values; 64 bytes for ids and places.
  const std::uint64_t floats = arch_.d_model * (arch_.n_layers + 2ull) + q_width() + kv_width();
  info_ = {.size = sizeof(dlens_model_info),
           .pack_tokens = pack_tokens,
           .weight_bytes = weights_.bytes(),
           .bytes_per_token = floats * sizeof(float) + 64,
           .weights = weights_text_.c_str(),
           .device = device_text_.c_str(),
           .prefix_bytes_per_token = arch_.n_layers * kv_width() * sizeof(float),
           .calls = 0,  // forward calls at once: as many as the host has threads
           .reserved = 0};
}

void model::forward(const dlens_batch& batch, const std::vector<const lens*>& lenses, std::int32_t* final_top,
                    const dlens_readings* const* readings) const {
  const workspace_pool::handle handle(pool_);
  pass p(*this, batch, *handle);
  if (batch.n_reads == 0 && !p.kept) return;
  run_single_threaded([&] {
    p.scratch.products = {};
    const std::uint64_t start = now_ns();
    run_blocks(p);
    const std::uint64_t read_start = now_ns();
    if (!p.sites.empty()) {
      copy_hidden(p, batch);
      readout_request request{.batch = &batch,
                              .sites = std::move(p.sites),
                              .hidden = p.hidden,
                              .lenses = lenses,
                              .final_top = final_top,
                              .readings = readings};
      read_out({.weights = weights_,
                .kernels = kernels_,
                .n_layers = arch_.n_layers,
                .softcap = static_cast<float>(arch_.final_softcap),
                .target_shape = shapes_.get(arch_.d_model, targets_at_once)},
               request, p.scratch);
    }
    work_.add(p.scratch.products, read_start - start, now_ns() - read_start);
  });
  if (p.kept) *batch.kept = new dlens_prefix{std::move(p.kept)};
}

model::pass::pass(const model& m, const dlens_batch& batch, workspace& space)
    : prefix(batch.prefix ? batch.prefix->path : nullptr),
      tree(make_token_tree(batch, {m.arch_.vocab_size, m.arch_.max_positions, prefix ? prefix->end : 0})),
      sites(make_read_sites(batch, tree)),
      all_queries(make_query_rows(tree)),
      scratch(space),
      stream(space.stream.rows(tree.token.size(), m.arch_.d_model)),
      hidden(space.hidden.rows((m.arch_.n_layers + std::size_t{1}) * sites.size(), m.arch_.d_model)),
      rotary(space.rotary.reserve(tree.n_positions, m.tables_.inverse_frequency,
                                  static_cast<float>(m.arch_.rope_scale))),
      local_rotary(m.tables_.local_inverse_frequency.empty()
                       ? rotary
                       : space.local_rotary.reserve(tree.n_positions, m.tables_.local_inverse_frequency, 1)) {
  for (const read_site& site : sites) site_tokens.push_back(site.token);
  site_queries = make_query_rows(tree, site_tokens);
  if (batch.kept) start_keeping(batch, m.arch_.n_layers * m.kv_width());
}

// token_floats: keys and values of a token in all layers.
void model::pass::start_keeping(const dlens_batch& batch, std::size_t token_floats) {
  if (batch.keep_token >= batch.n_tokens) {
    fail(status::internal, "token ", batch.keep_token, " is to be kept; the pack has ", batch.n_tokens);
  }
  for (auto t = static_cast<std::int32_t>(batch.keep_token); t >= 0; t = batch.parent[t])
    kept_tokens.push_back(tree.place[t]);
  std::reverse(kept_tokens.begin(), kept_tokens.end());
  kept = std::make_shared<kept_path>();
  kept->begin = static_cast<std::uint32_t>(tree.position[kept_tokens.front()]);
  kept->end = kept->begin + static_cast<std::uint32_t>(kept_tokens.size());
  // A path whose first token in this pack is not at position 0 continues the prefix.
  if (kept->begin > 0) kept->prefix = prefix;
  kept->kv.reserve_raw(kept_tokens.size() * token_floats);
}

// Every block but the last makes all rows of the stream from all; of the last one only the sites are needed.
void model::run_blocks(pass& p) const {
  embed(p.tree, p.stream, p.scratch);
  const std::uint32_t last = arch_.n_layers - 1;
  for (std::uint32_t layer = 0; layer < last; ++layer) {
    copy_rows(p.stream, p.site_tokens, p.states(layer));
    run_block(p, layer, {p.stream, p.all_queries});
  }
  copy_rows(p.stream, p.site_tokens, p.states(last));
  copy_rows(p.stream, p.site_tokens, p.states(last + 1));  // to which the last block adds
  run_block(p, last, {p.states(last + 1), p.site_queries});
}

// stream (T, D) = embed[token] * embed_scale, + position[position] where positions are learned.
void model::embed(const token_tree& tree, const float_rows& stream, workspace& scratch) const {
  const std::size_t d = arch_.d_model;
  const auto scale = static_cast<float>(arch_.embed_scale);
  float* learned = scratch.row.reserve(d);
  for (std::size_t t = 0; t < stream.n; ++t) {
    float* h = stream.row(t);
    weights_.embed.read_rows(static_cast<std::size_t>(tree.token[t]), 1, h);
    for (std::size_t i = 0; i < d && scale != 1; ++i) h[i] *= scale;
    if (!weights_.position.present()) continue;
    weights_.position.read_rows(static_cast<std::size_t>(tree.position[t]) + arch_.position_offset, 1,
                                learned);
    kernels_.add(h, learned, d);
  }
}

// To the host's buffer, if it wants them.
void model::copy_hidden(const pass& p, const dlens_batch& batch) const {
  if (!batch.hidden) return;
  const std::size_t d = arch_.d_model, layers = arch_.n_layers + std::size_t{1};
  for (std::uint32_t layer = 0; layer < layers; ++layer)
    for (std::size_t i = 0; i < p.sites.size(); ++i)
      for (const std::uint32_t read : p.sites[i].reads)
        std::copy_n(p.states(layer).row(i), d, batch.hidden + (read * layers + layer) * d);
}

lens model::make_lens(std::uint64_t n, const dlens_transport* const* transports) const {
  return cpu::make_lens(n, transports, arch_.n_layers, arch_.d_model, shapes_);
}

// In the proportions of a run that reads a row of the vocabulary for each token.
double model::product_rate(std::string_view form, std::uint32_t threads, double seconds) const {
  const block_weights& block = weights_.blocks.front();
  std::vector<product_shape> shapes;
  for (const linear* l : {&block.q, &block.kv, &block.o, &block.down})
    shapes.insert(shapes.end(), arch_.n_layers, {l->matrix.inputs(), l->matrix.outputs()});
  shapes.insert(shapes.end(), arch_.n_layers,
                {arch_.d_model, (block.gated ? std::size_t{2} : 1) * arch_.d_ff});
  for (const packed_matrix& tile : weights_.unembed_tiles) shapes.push_back({tile.inputs(), tile.outputs()});
  return measure_product_rate(shapes, form, threads, seconds);
}

}  // namespace depthlens::cpu
