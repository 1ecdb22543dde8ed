// SPDX-License-Identifier: Apache-2.0
// One block of the model, in the steps of depthlens/reference/model.hpp. Everything but attention goes in
// chunks of rows that stay in the cache, the feed-forward layer in tiles of its inner values. What a product
// takes is rounded, if the weights are: row by row where it is made, attention's outputs in the product.
#include "pass.hpp"

#include <algorithm>
#include <vector>

namespace depthlens::cpu {

namespace {

constexpr std::size_t chunk_rows = matmul_shape::max_rows;

}  // namespace

// out.h (rows, D) += attention(p.stream), then += feed_forward(out.h), with p.stream (T, D) all that enters
// the block. out.h is p.stream itself, or in the last block the rows of the sites.
void model::run_block(block_call& call, std::uint32_t layer, const block_output& out) const {
  const pass& p = call.p;
  const block_weights& w = weights_.blocks[layer];
  const bool parallel = arch_.block_form == DLENS_BLOCK_PARALLEL;
  const norm_weights& ffn_norm = parallel && !w.ffn_norm.present() ? w.attn_norm : w.ffn_norm;
  workspace& s = call.scratch;
  const head_shape heads{.n_heads = arch_.n_heads,
                         .n_kv_heads = arch_.n_kv_heads,
                         .head_dim = arch_.head_dim,
                         .window = tables_.window(layer),
                         .softcap = static_cast<float>(arch_.attention_softcap)};
  const float_rows kv = s.kv.rows(p.stream.n, kv_width());
  const float_rows q = s.q.rows(out.h.n, q_width());
  project(call, layer, out, kv, q);
  if (call.kept) keep_tokens(call, layer, kv);
  const std::vector<kept_rows> prefix = rows_of_layer(call.prefix.get(), p.tree.n_prefix, layer, kv.width);
  const float_rows attended = attend_tree(kernels_, heads, p.tree, prefix, kv, out.queries, q, s);
  for_chunks(out.h.n, chunk_rows, [&](row_range rows) {
    const float_rows h = out.h.part(rows);
    input_rows inner;
    // In a parallel block both halves see what entered it, so the second one looks before the first one adds.
    if (parallel) inner = inner_values(w, normed(ffn_norm, h, s), s);
    add_product(w.o, attended.part(rows), w.attn_post_norm, h, s);
    if (!parallel) inner = inner_values(w, normed(ffn_norm, h, s), s);
    add_product(w.down, inner, w.ffn_post_norm, h, s);
  });
}

// x = attn_norm(stream); kv (T, 2, KV heads, head_dim) = W_kv x and q (rows of out, H, head_dim) = W_q x,
// with keys and queries turned by their positions.
void model::project(block_call& call, std::uint32_t layer, const block_output& out, const float_rows& kv,
                    const float_rows& q) const {
  const pass& p = call.p;
  const block_weights& w = weights_.blocks[layer];
  const rotary_table& angles = tables_.window(layer) != 0 ? call.local_rotary : call.rotary;
  const bool all = out.h.n == p.stream.n;  // the queries are of the same x as the keys
  const auto make_queries = [&](const input_rows& x, row_range rows) {
    w.q.apply(kernels_, x, q.part(rows), call.scratch);
    turn(q.part(rows), arch_.n_heads, w.q_norm, angles, out.queries.position.data() + rows.first,
         static_cast<float>(arch_.attention_scale));
  };
  for_chunks(p.stream.n, chunk_rows, [&](row_range rows) {
    const input_rows x = normed(w.attn_norm, p.stream.part(rows), call.scratch);
    w.kv.apply(kernels_, x, kv.part(rows), call.scratch);
    turn(kv.part(rows), arch_.n_kv_heads, w.k_norm, angles, p.tree.position.data() + rows.first, 1);
    if (all) make_queries(x, rows);
  });
  if (all) return;
  for_chunks(out.h.n, chunk_rows, [&](row_range rows) {
    make_queries(normed(w.attn_norm, out.h.part(rows), call.scratch), rows);
  });
}

// The first n_heads heads of each row: normed, if there is a norm for them, turned by the row's position and
// scaled. A norm as wide as a head takes every head by itself, one of the whole width all of them as one.
// position (rows).
void model::turn(const float_rows& rows, std::size_t n_heads, const norm_weights& norm,
                 const rotary_table& angles, const std::int32_t* position, float scale) const {
  const std::size_t head = arch_.head_dim;
  const bool interleaved = arch_.rope_kind == DLENS_ROPE_INTERLEAVED;
  for (std::size_t i = 0; i < rows.n; ++i) {
    const auto at = static_cast<std::size_t>(position[i]);
    float* row = rows.row(i);
    if (norm.present()) norm.apply(kernels_, row, n_heads * head / norm.width(), row);
    kernels_.rotate(row, n_heads, head, arch_.rope_dims, angles.cosine(at), angles.sine(at), interleaved,
                    scale);
  }
}

// x (rows, D) as products take it. Floats that no norm changes stay where they are; all else is in
// scratch.normed until the next call.
input_rows model::normed(const norm_weights& norm, const float_rows& h, workspace& scratch) const {
  if (precision_ == precision::bf16) {
    bf16* x = reserve_bf16(scratch.normed, chunk_rows * h.width);
    norm.apply_rounded(kernels_, h, scratch.row.reserve(h.width), x);
    return {x, h.n, h.width};
  }
  if (!norm.present()) return h;
  const float_rows x = scratch.normed.rows(chunk_rows, h.width).part({0, h.n});
  norm.apply(kernels_, h.data, h.n, x.data);
  return x;
}

// activation(gate x) * up x, or activation(up x), (rows, F), as `down` takes them: in scratch.inner until the
// next call. By tiles, each its gates and then as many of up: the product of one stays in the cache until it
// is reduced.
input_rows model::inner_values(const block_weights& w, const input_rows& x, workspace& scratch) const {
  const std::size_t f = arch_.d_ff;
  const auto kind = static_cast<activation>(arch_.activation);
  const bool rounds = precision_ == precision::bf16;
  float* const line = scratch.row.reserve(inner_tile);
  float* const floats = rounds ? nullptr : scratch.inner.reserve(chunk_rows * f);
  bf16* const rounded = rounds ? reserve_bf16(scratch.inner, chunk_rows * f) : nullptr;
  for_chunks(f, inner_tile, [&](row_range inner) {
    const linear& tile = w.inner[inner.first / inner_tile];
    const float_rows product = scratch.product.rows(x.n, tile.matrix.outputs());
    tile.apply(kernels_, x, product, scratch);
    for (std::size_t i = 0; i < x.n; ++i) {
      const float* row = product.row(i);
      const std::size_t at = i * f + inner.first;
      kernels_.activate(kind, row, w.gated ? row + inner.n : nullptr, inner.n, rounds ? line : floats + at);
      if (rounds) kernels_.to_bf16(line, inner.n, rounded + at);
    }
  });
  return rounds ? input_rows(rounded, x.n, f) : input_rows(floats, x.n, f);
}

// h (rows, D) += post_norm(map in), or map in where there is no such norm.
void model::add_product(const linear& map, const input_rows& in, const norm_weights& post_norm,
                        const float_rows& h, workspace& scratch) const {
  const float_rows product = scratch.product.rows(h.n, h.width);
  map.apply(kernels_, in, product, scratch);
  if (post_norm.present()) post_norm.apply(kernels_, product.data, h.n, product.data);
  kernels_.add(h.data, product.data, h.n * h.width);
}

// Copies the layer's keys and values (T, 2, KV heads * head_dim) of the tokens that the pack keeps.
void model::keep_tokens(block_call& call, std::uint32_t layer, const float_rows& kv) const {
  const std::vector<std::uint32_t>& tokens = call.p.kept_tokens;
  kept_path& kept = *call.kept;
  float* to = kept.kv.data() + (layer - kept.first_layer) * tokens.size() * kv.width;
  for (const std::uint32_t token : tokens) to = std::copy_n(kv.row(token), kv.width, to);
}

}  // namespace depthlens::cpu
