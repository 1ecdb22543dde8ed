// SPDX-License-Identifier: Apache-2.0
// The blocks of the model, over the residual stream of a pack in tree order. Inside a block, everything but
// attention goes in chunks of rows that stay in the cache, the feed-forward layer in tiles of its inner
// values. What a product takes is rounded row by row where it is made, if the weights are.
#include "pass.hpp"

#include <algorithm>

namespace depthlens::cpu {

void model::embed(pass& p) const {
  const std::size_t n = p.tree.token.size(), d = arch_.d_model;
  workspace& s = p.scratch;
  s.rotary.reserve(p.tree.n_positions, tables_.inverse_frequency, static_cast<float>(arch_.rope_scale));
  s.local_rotary.reserve(p.tree.n_positions, tables_.local_inverse_frequency, 1);
  float* place = s.row.reserve(d);
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

void model::apply(const linear& map, const product_input& in, std::size_t rows, float* out,
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
              {arch_.n_heads, arch_.n_kv_heads, arch_.head_dim, tables_.window(layer),
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
  float* product = s.product.reserve(pass::chunk_rows * std::max(d, 2 * inner_tile));
  for (std::size_t first = 0; first < rows; first += pass::chunk_rows) {
    const std::size_t n = std::min(pass::chunk_rows, rows - first);
    float* at = stream + first * d;
    product_input x;
    if (parallel) x = feed_forward_input(p, block, at, n);
    apply(block.o, {s.q.data() + first * q_width}, n, product, s);
    add_product(block.attn_post_norm, at, n, s);
    if (!parallel) x = feed_forward_input(p, block, at, n);
    apply(block.down, inner_values(block, x, n, s), n, product, s);
    add_product(block.ffn_post_norm, at, n, s);
  }
}

// In `normed`; floats that no norm changes stay where they are.
product_input model::normed(const norm_weights& norm, const float* from, std::size_t rows,
                            workspace& scratch) const {
  const std::size_t d = arch_.d_model;
  if (number_ == number::f32) {
    if (!norm.present()) return {from};
    float* out = scratch.normed.reserve(pass::chunk_rows * d);
    norm.apply(kernels_, from, rows, out);
    return {out};
  }
  bf16* out = reserve_bf16(scratch.normed, pass::chunk_rows * d);
  float* row = scratch.row.reserve(d);
  for (std::size_t i = 0; i < rows; ++i) {
    if (norm.present()) norm.apply(kernels_, from + i * d, 1, row);
    kernels_.to_bf16(norm.present() ? row : from + i * d, d, out + i * d);
  }
  return {nullptr, out};
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
      is_local(layer) && !tables_.local_inverse_frequency.empty() ? s.local_rotary : s.rotary;
  float* q = s.q.reserve(n * q_width);
  float* kv = s.kv.reserve(n * kv_width);
  const auto turn = [&](const norm_weights& norm, float* row, std::size_t heads, std::int32_t position,
                        float by) {
    const auto at = static_cast<std::size_t>(position);
    if (norm.present()) norm.apply(kernels_, row, heads * head / norm.width(), row);
    kernels_.rotate(row, heads, head, arch_.rope_dims, rotary.cosine(at), rotary.sine(at), interleaved, by);
  };
  const auto make_queries = [&](const product_input& x, const query_rows& rows, std::size_t first,
                                std::size_t count) {
    apply(block.q, x, count, q + first * q_width, s);
    for (std::size_t i = first; i < first + count; ++i) {
      turn(block.q_norm, q + i * q_width, arch_.n_heads, rows.position[i],
           static_cast<float>(arch_.attention_scale));
    }
  };
  for (std::size_t first = 0; first < n; first += pass::chunk_rows) {
    const std::size_t count = std::min(pass::chunk_rows, n - first);
    const product_input x = normed(block.attn_norm, s.stream.data() + first * d, count, s);
    apply(block.kv, x, count, kv + first * kv_width, s);
    for (std::size_t i = first; i < first + count; ++i)
      turn(block.k_norm, kv + i * kv_width, arch_.n_kv_heads, p.tree.position[i], 1);
    if (!reads_only) make_queries(x, p.all, first, count);
  }
  const float* kept = s.hidden.data() + (arch_.n_layers - 1) * p.read_tokens.size() * d;
  for (std::size_t first = 0; reads_only && first < p.read_tokens.size(); first += pass::chunk_rows) {
    const std::size_t count = std::min(pass::chunk_rows, p.read_tokens.size() - first);
    make_queries(normed(block.attn_norm, kept + first * d, count, s), p.reads, first, count);
  }
}

// x of the feed-forward layer for rows of the stream. A parallel block takes it before attention is added, so
// it is a copy there.
product_input model::feed_forward_input(pass& p, const block_weights& block, const float* stream,
                                        std::size_t rows) const {
  const bool parallel = arch_.block_form == DLENS_BLOCK_PARALLEL;
  const bool of_attention = parallel && !block.ffn_norm.present();
  const product_input x = normed(of_attention ? block.attn_norm : block.ffn_norm, stream, rows, p.scratch);
  if (!parallel || x.floats != stream) return x;
  float* copy = p.scratch.normed.reserve(pass::chunk_rows * arch_.d_model);
  std::copy_n(stream, rows * arch_.d_model, copy);
  return {copy};
}

// activation(gate x) * up x, or activation(up x), (rows, F), as down takes them. By tiles: the product of one
// stays in the cache until it is reduced.
product_input model::inner_values(const block_weights& block, const product_input& x, std::size_t rows,
                                  workspace& scratch) const {
  const std::size_t f = arch_.d_ff;
  const auto kind = static_cast<activation>(arch_.activation);
  const bool rounds = number_ == number::bf16;
  float* const product = scratch.product.data();
  float* const line = scratch.row.reserve(inner_tile);
  float* const floats = rounds ? nullptr : scratch.inner.reserve(pass::chunk_rows * f);
  bf16* const rounded = rounds ? reserve_bf16(scratch.inner, pass::chunk_rows * f) : nullptr;
  for (std::size_t first = 0; first < f; first += inner_tile) {
    const std::size_t n = std::min(inner_tile, f - first);
    const linear& tile = block.inner[first / inner_tile];
    apply(tile, x, rows, product, scratch);
    for (std::size_t i = 0; i < rows; ++i) {
      const float* row = product + i * tile.matrix.outputs();
      const std::size_t at = i * f + first;
      kernels_.activate(kind, row, block.gated ? row + n : nullptr, n, rounds ? line : floats + at);
      if (rounds) kernels_.to_bf16(line, n, rounded + at);
    }
  }
  return {floats, rounded};
}

}  // namespace depthlens::cpu
