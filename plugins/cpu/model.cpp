// SPDX-License-Identifier: Apache-2.0
// The pack goes through the model block by block, in tree order; inside a block, everything but attention
// goes in chunks of rows that stay in the cache. Keys and values exist for one block at a time, but for those
// of a path that is to be kept. The last block computes keys and values of all tokens, and the rest for the
// tokens that are read.
#include "model.hpp"

#include "product_rate.hpp"
#include "single_thread.hpp"

#include "depthlens/backend/checked_architecture.hpp"
#include "depthlens/error.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

namespace depthlens::cpu {

namespace {

constexpr std::size_t chunk_rows = 256;
constexpr std::uint32_t pack_tokens = 1024;  // more does not run faster

number number_of(const dlens_model_options& options) {
  const std::string_view device = options.device ? options.device : "auto";
  const std::string_view precision = options.precision ? options.precision : "f32";
  if (device != "auto" && device != "cpu") {
    fail(status::unavailable, "the cpu backend has no device ", device,
         "; use --device cpu or another backend");
  }
  if (precision == "f32") return number::f32;
  if (precision == "bf16") return number::bf16;
  fail(status::unavailable, "the cpu backend computes in f32 or bf16, not in ", precision,
       "; use --precision f32 or bf16");
}

}  // namespace

struct model::pass {
  token_tree tree;
  std::vector<std::uint32_t> read_tokens;  // distinct, in tree order
  query_rows all, reads;
  std::vector<read_site> sites;  // of read_tokens
  workspace& scratch;
  std::shared_ptr<const kept_path> above;  // that the pack continues
  std::shared_ptr<kept_path> kept;         // that it is to keep, and its tokens in tree order
  std::vector<std::uint32_t> kept_tokens;
};

model::model(const dlens_weights& weights, const dlens_model_options& options)
    : arch_(checked_architecture(weights)), kernels_(kernels()), shapes_(number_of(options)) {
  copy_tables();
  weights_ = load_weights(weights, shapes_, options.threads);
  run_single_threaded([&] { shapes_.get(arch_.d_model, gather_width); });
  device_text_ = cat("cpu (", kernels_.name, "), ", matmul_description(),
                     shapes_.rows_are_independent() ? "" : ", last bits depend on the pack");
  weights_text_ = shapes_.form();
  const std::uint64_t q_width = 1ull * arch_.n_heads * arch_.head_dim;
  const std::uint64_t floats = arch_.d_model * (arch_.n_layers + 2ull) + q_width + kv_width();
  info_ = {sizeof(dlens_model_info),
           pack_tokens,
           weights_.bytes(),
           floats * sizeof(float) + 64,
           weights_text_.c_str(),
           device_text_.c_str(),
           arch_.n_layers * kv_width() * sizeof(float)};
}

void model::copy_tables() {
  const std::size_t half = arch_.rope_dims / 2;
  if (half > 0) {
    const float* local = arch_.local_rope_inverse_frequency;
    inverse_frequency_.assign(arch_.rope_inverse_frequency, arch_.rope_inverse_frequency + half);
    if (local) local_inverse_frequency_.assign(local, local + half);
  }
  if (arch_.window) windows_.assign(arch_.window, arch_.window + arch_.n_layers);
  arch_.rope_inverse_frequency = arch_.local_rope_inverse_frequency = nullptr;
  arch_.window = nullptr;
}

lens model::make_lens(std::uint64_t n, const dlens_transport* const* transports) const {
  return cpu::make_lens(n, transports, arch_.n_layers, arch_.d_model, shapes_);
}

model::pass model::make_pass(const dlens_batch& batch, workspace& scratch) const {
  const std::shared_ptr<const kept_path> above = batch.prefix ? batch.prefix->path : nullptr;
  pass p{make_token_tree(batch, {arch_.vocab_size, arch_.max_positions, above ? above->end : 0}),
         {},
         {},
         {},
         {},
         scratch,
         above,
         {},
         {}};
  p.sites = make_read_sites(batch, p.tree);
  for (const read_site& site : p.sites) p.read_tokens.push_back(site.token);
  p.all = make_query_rows(p.tree);
  p.reads = make_query_rows(p.tree, p.read_tokens);
  if (batch.kept) start_keeping(p, batch);
  return p;
}

void model::start_keeping(pass& p, const dlens_batch& batch) const {
  if (batch.keep_token >= batch.n_tokens) {
    fail(status::internal, "token ", batch.keep_token, " is to be kept; the pack has ", batch.n_tokens);
  }
  for (auto t = static_cast<std::int32_t>(batch.keep_token); t >= 0; t = batch.parent[t]) {
    p.kept_tokens.push_back(p.tree.place[t]);
  }
  std::reverse(p.kept_tokens.begin(), p.kept_tokens.end());
  p.kept = std::make_shared<kept_path>();
  p.kept->begin = static_cast<std::uint32_t>(p.tree.position[p.kept_tokens.front()]);
  p.kept->end = p.kept->begin + static_cast<std::uint32_t>(p.kept_tokens.size());
  if (p.kept->begin > 0) p.kept->above = p.above;
  p.kept->kv.reserve_raw(arch_.n_layers * p.kept_tokens.size() * kv_width());
}

std::shared_ptr<const kept_path> model::forward(const dlens_batch& batch,
                                                const std::vector<const lens*>& lenses,
                                                std::int32_t* final_top,
                                                const dlens_readings* const* readings) const {
  const workspace_pool::handle handle(pool_);
  pass p = make_pass(batch, *handle);
  if (batch.n_reads == 0 && !p.kept) return nullptr;
  run_single_threaded([&] {
    p.scratch.products = {};
    const std::uint64_t start = now_ns();
    embed(p);
    for (std::uint32_t layer = 0; layer < arch_.n_layers; ++layer) {
      keep_reads(p, layer);
      run_block(p, layer, layer + 1 == arch_.n_layers);
    }
    const std::uint64_t read_start = now_ns();
    if (!p.sites.empty()) {
      copy_hidden(p, batch);
      readout_request request{&batch, std::move(p.sites), p.scratch.hidden.data(),
                              lenses, final_top,          readings};
      read_out({weights_, kernels_, arch_.n_layers, static_cast<float>(arch_.final_softcap),
                shapes_.get(arch_.d_model, gather_width)},
               request, p.scratch);
    }
    work_.add(p.scratch.products, read_start - start, now_ns() - read_start);
  });
  return p.kept;
}

// The states that were kept at every layer, to the host's buffer, if it wants them.
void model::copy_hidden(const pass& p, const dlens_batch& batch) const {
  if (!batch.hidden) return;
  const std::size_t d = arch_.d_model, layers = arch_.n_layers + std::size_t{1};
  for (std::size_t i = 0; i < p.sites.size(); ++i)
    for (std::size_t layer = 0; layer < layers; ++layer)
      for (const std::uint32_t read : p.sites[i].reads)
        std::copy_n(p.scratch.hidden.data() + (layer * p.sites.size() + i) * d, d,
                    batch.hidden + (read * layers + layer) * d);
}

// In the proportions of a run that reads a row of the vocabulary for each token.
double model::product_rate(std::string_view precision, std::uint32_t threads, double seconds) const {
  const block_weights& block = weights_.blocks.front();
  std::vector<product_shape> shapes;
  for (const linear* l : {&block.q, &block.kv, &block.o, &block.gate_up, &block.down}) {
    shapes.insert(shapes.end(), arch_.n_layers, {l->matrix.inputs(), l->matrix.outputs()});
  }
  for (const packed_matrix& tile : weights_.unembed_tiles) shapes.push_back({tile.inputs(), tile.outputs()});
  return measure_product_rate(shapes, precision, threads, seconds);
}

void model::embed(pass& p) const {
  const std::size_t n = p.tree.token.size(), d = arch_.d_model;
  workspace& s = p.scratch;
  s.rotary.reserve(p.tree.n_positions, inverse_frequency_, static_cast<float>(arch_.rope_scale));
  s.local_rotary.reserve(p.tree.n_positions, local_inverse_frequency_, 1);
  float* place = s.normed.reserve(chunk_rows * d);
  const auto scale = static_cast<float>(arch_.embed_scale);
  s.stream.reserve(n * d);
  s.hidden.reserve((arch_.n_layers + 1) * p.sites.size() * d);
  for (std::size_t t = 0; t < n; ++t) {
    float* row = s.stream.data() + t * d;
    weights_.embed.read_rows(static_cast<std::size_t>(p.tree.token[t]), 1, row);
    for (std::size_t i = 0; i < d && scale != 1; ++i) row[i] *= scale;
    if (!weights_.position.present()) continue;
    weights_.position.read_rows(static_cast<std::size_t>(p.tree.position[t]) + arch_.position_offset, 1,
                                place);
    kernels_.add(row, place, d);
  }
}

void model::keep_reads(pass& p, std::uint32_t layer) const {
  const std::size_t d = arch_.d_model;
  float* kept = p.scratch.hidden.data() + layer * p.read_tokens.size() * d;
  for (std::size_t i = 0; i < p.read_tokens.size(); ++i) {
    std::copy_n(p.scratch.stream.data() + p.read_tokens[i] * d, d, kept + i * d);
  }
}

// The layer's keys and values of the path that is kept.
void model::keep_path(pass& p, std::uint32_t layer) const {
  const std::size_t width = kv_width();
  float* to = p.kept->kv.data() + layer * p.kept_tokens.size() * width;
  for (const std::uint32_t token : p.kept_tokens) {
    to = std::copy_n(p.scratch.kv.data() + token * width, width, to);
  }
}

void model::apply(const linear& map, const float* in, std::size_t rows, float* out,
                  workspace& scratch) const {
  map.matrix.multiply(in, rows, out, scratch);
  for (std::size_t i = 0; i < rows && !map.bias.empty(); ++i) {
    kernels_.add(out + i * map.bias.size(), map.bias.data(), map.bias.size());
  }
}

void model::run_block(pass& p, std::uint32_t layer, bool reads_only) const {
  const block_weights& block = weights_.blocks[layer];
  const std::size_t d = arch_.d_model;
  workspace& s = p.scratch;
  project(p, layer, reads_only);
  if (p.kept) keep_path(p, layer);
  attend_tree(kernels_,
              {arch_.n_heads, arch_.n_kv_heads, arch_.head_dim, is_local(layer) ? windows_[layer] : 0,
               static_cast<float>(arch_.attention_softcap)},
              p.tree, rows_of_layer(p.above.get(), p.tree.n_above, layer, kv_width()), s.kv.data(),
              reads_only ? p.reads : p.all, s.q.data(), s);
  float* stream = s.stream.data();
  std::size_t rows = p.tree.token.size();
  if (reads_only) {
    keep_reads(p, layer + 1);  // what enters the block, to which it adds
    stream = s.hidden.data() + (layer + 1) * p.read_tokens.size() * d;
    rows = p.read_tokens.size();
  }
  const bool parallel = arch_.block_form == DLENS_BLOCK_PARALLEL;
  const std::size_t q_width = std::size_t{arch_.n_heads} * arch_.head_dim;
  float* product = s.product.reserve(chunk_rows * std::max<std::size_t>(d, 2 * arch_.d_ff));
  for (std::size_t first = 0; first < rows; first += chunk_rows) {
    const std::size_t n = std::min(chunk_rows, rows - first);
    float* at = stream + first * d;
    const float* x = parallel ? feed_forward_input(p, block, at, n) : nullptr;
    apply(block.o, s.q.data() + first * q_width, n, product, s);
    add_product(block.attn_post_norm, at, n, s);
    if (!parallel) x = feed_forward_input(p, block, at, n);
    feed_forward(p, block, x, at, n);
  }
}

// The rows themselves where there is no norm, else in `normed`.
const float* model::normed(const norm_weights& norm, const float* from, std::size_t rows,
                           workspace& scratch) const {
  if (!norm.present()) return from;
  float* out = scratch.normed.reserve(chunk_rows * arch_.d_model);
  norm.apply(kernels_, from, rows, out);
  return out;
}

// stream (rows, D) += the product, normed if there is a norm for it.
void model::add_product(const norm_weights& post_norm, float* stream, std::size_t rows,
                        workspace& scratch) const {
  float* product = scratch.product.data();
  if (post_norm.present()) post_norm.apply(kernels_, product, rows, product);
  kernels_.add(stream, product, rows * arch_.d_model);
}

// Norms, queries, keys and values; queries and keys are turned by their positions, queries scaled.
void model::project(pass& p, std::uint32_t layer, bool reads_only) const {
  const block_weights& block = weights_.blocks[layer];
  const std::size_t n = p.tree.token.size(), d = arch_.d_model, head = arch_.head_dim;
  const std::size_t q_width = arch_.n_heads * head, kv_width = this->kv_width();
  const bool interleaved = arch_.rope_kind == DLENS_ROPE_INTERLEAVED;
  workspace& s = p.scratch;
  const rotary_table& rotary =
      is_local(layer) && !local_inverse_frequency_.empty() ? s.local_rotary : s.rotary;
  float* q = s.q.reserve(n * q_width);
  float* kv = s.kv.reserve(n * kv_width);
  const auto turn = [&](const norm_weights& norm, float* row, std::size_t heads, std::int32_t position,
                        float by) {
    const auto at = static_cast<std::size_t>(position);
    if (norm.present()) norm.apply(kernels_, row, heads * head / norm.width(), row);
    kernels_.rotate(row, heads, head, arch_.rope_dims, rotary.cosine(at), rotary.sine(at), interleaved, by);
  };
  const auto make_queries = [&](const float* x, const query_rows& rows, std::size_t first,
                                std::size_t count) {
    apply(block.q, x, count, q + first * q_width, s);
    for (std::size_t i = first; i < first + count; ++i) {
      turn(block.q_norm, q + i * q_width, arch_.n_heads, rows.position[i],
           static_cast<float>(arch_.attention_scale));
    }
  };
  for (std::size_t first = 0; first < n; first += chunk_rows) {
    const std::size_t count = std::min(chunk_rows, n - first);
    const float* x = normed(block.attn_norm, s.stream.data() + first * d, count, s);
    apply(block.kv, x, count, kv + first * kv_width, s);
    for (std::size_t i = first; i < first + count; ++i)
      turn(block.k_norm, kv + i * kv_width, arch_.n_kv_heads, p.tree.position[i], 1);
    if (!reads_only) make_queries(x, p.all, first, count);
  }
  const float* kept = s.hidden.data() + (arch_.n_layers - 1) * p.read_tokens.size() * d;
  for (std::size_t first = 0; reads_only && first < p.read_tokens.size(); first += chunk_rows) {
    const std::size_t count = std::min(chunk_rows, p.read_tokens.size() - first);
    make_queries(normed(block.attn_norm, kept + first * d, count, s), p.reads, first, count);
  }
}

// x of the feed-forward layer for rows of the stream. A parallel block takes it before attention is added, so
// it is a copy there.
const float* model::feed_forward_input(pass& p, const block_weights& block, const float* stream,
                                       std::size_t rows) const {
  const bool parallel = arch_.block_form == DLENS_BLOCK_PARALLEL;
  const bool of_attention = parallel && !block.ffn_norm.present();
  const float* x = normed(of_attention ? block.attn_norm : block.ffn_norm, stream, rows, p.scratch);
  if (!parallel || x != stream) return x;
  float* copy = p.scratch.normed.reserve(chunk_rows * arch_.d_model);
  std::copy_n(stream, rows * arch_.d_model, copy);
  return copy;
}

// stream (rows, D) += down(activation(gate x) * up x), or down(activation(up x)).
void model::feed_forward(pass& p, const block_weights& block, const float* x, float* stream,
                         std::size_t rows) const {
  const std::size_t f = arch_.d_ff, width = block.gate_up.matrix.outputs();
  const auto kind = static_cast<activation>(arch_.activation);
  workspace& s = p.scratch;
  float* product = s.product.data();
  apply(block.gate_up, x, rows, product, s);
  float* inner = s.gated.reserve(chunk_rows * f);
  for (std::size_t i = 0; i < rows; ++i) {
    const float* row = product + i * width;
    kernels_.activate(kind, row, block.gated ? row + f : nullptr, f, inner + i * f);
  }
  apply(block.down, inner, rows, product, s);
  add_product(block.ffn_post_norm, stream, rows, s);
}

}  // namespace depthlens::cpu
