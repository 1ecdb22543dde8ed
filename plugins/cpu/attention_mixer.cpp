// SPDX-License-Identifier: Apache-2.0
// The attention of a block: queries, keys and values of a pack, made, turned, and mixed by attention.hpp.
#include "block.hpp"

#include "depthlens/backend/alibi.hpp"

#include <algorithm>

namespace depthlens::cpu {

float_rows block_run::attend() {
  const dlens_attention& a = *shape_.attention;
  workspace& s = call_.scratch;
  const float_rows q = s.q.rows(out_.h.n, std::size_t{a.n_heads} * a.head_dim);
  const std::size_t mixed_width = std::size_t{a.n_heads} * a.value_dim;
  const float_rows mixed = mixed_width == q.width ? q : s.mixed.rows(out_.h.n, mixed_width);
  if (w_.attn_gate.present()) s.gate.rows(out_.h.n, mixed_width);
  const float_rows kv = a.kv_rank > 0 ? make_latents(q) : make_kv(q);
  if (!together_) make_queries_alone(q);
  attend_tree(tools_.kernels, heads(), p_.tree, prefix_kv(kv), kv, out_.queries, q, mixed, s);
  if (w_.attn_gate.present()) tools_.kernels.times_sigmoid(mixed.data, s.gate.data(), mixed.n * mixed.width);
  return mixed;
}

// With ALiBi by position, or by distance: those are laid out up to the distance 0.
head_shape block_run::heads() {
  const dlens_attention& a = *shape_.attention;
  head_shape out{.n_heads = a.n_heads,
                 .n_kv_heads = a.n_kv_heads,
                 .head_dim = a.head_dim,
                 .value_dim = a.value_dim,
                 .window = a.window,
                 .softcap = static_cast<float>(a.softcap),
                 .sinks = w_.sinks.empty() ? nullptr : w_.sinks.data(),
                 .bias = nullptr,
                 .bias_end = 0};
  if (a.alibi == DLENS_ALIBI_NONE) return out;
  const std::size_t n = p_.tree.n_positions;
  float* const bias = call_.scratch.bias.reserve(a.n_heads * n);
  for (std::size_t head = 0; head < a.n_heads; ++head)
    for (std::size_t key = 0; key < n; ++key)
      bias[head * n + key] = alibi_bias(a, shape_.alibi_slopes[head], key, n - 1);
  out.bias = bias;
  out.bias_end = a.alibi == DLENS_ALIBI ? n - 1 : 0;
  return out;
}

// Keys (Hkv, head_dim), then values of all tokens, turned by their positions; those of another block where
// that one's are taken.
float_rows block_run::make_kv(const float_rows& q) {
  const dlens_attention& a = *shape_.attention;
  workspace& s = call_.scratch;
  if (shape_.shares_kv(layer_)) return p_.shared.at(a.kv_layer).own_rows();
  const std::size_t keys = std::size_t{a.n_kv_heads} * a.head_dim;
  const float_rows kv = s.kv.rows(p_.stream.n, 2 * keys);
  for_chunks(p_.stream.n, chunk_rows, [&](row_range rows) {
    const bool after = shape_.form.form == DLENS_BLOCK_NORM_AFTER;
    const input_rows x = tools_.normed(after ? norm_weights{} : w_.attn_norm, p_.stream.part(rows));
    const float_rows to = kv.part(rows);
    w_.kv.apply(tools_.kernels, x, to, s);
    if (a.clip != 0) tools_.kernels.clip(to.data, static_cast<float>(a.clip), to.n * to.width);
    turn(to, a.n_kv_heads, w_.k_norm, places_of(p_.tree, rows), 1);
    for (std::size_t i = 0; i < to.n && w_.v_norm.present(); ++i)
      w_.v_norm.apply(tools_.kernels, to.row(i) + keys, a.n_kv_heads, to.row(i) + keys);
    if (together_) make_queries(x, rows, q);
  });
  keep_rows(kv);
  if (!model_.arch().is_shared(layer_)) return kv;
  shared_kv& kept = p_.shared[layer_];
  kept.set(kv, rows_of_layer(call_.prefix.get(), p_.tree.n_prefix, layer_), p_.tree.n_prefix);
  return kv;
}

// Of the positions ahead of the pack.
std::vector<kept_rows> block_run::prefix_kv(const float_rows& kv) {
  const dlens_attention& a = *shape_.attention;
  const std::uint32_t n = p_.tree.n_prefix;
  if (n == 0) return {};
  if (shape_.shares_kv(layer_)) return {{0, n, p_.shared.at(a.kv_layer).prefix.data()}};
  const std::vector<kept_rows> kept = rows_of_layer(call_.prefix.get(), n, layer_);
  if (a.kv_rank == 0) return kept;
  const std::size_t width = a.kv_rank + a.rope_dims;
  const float_rows all = call_.scratch.latent_kv.rows(n, kv.width);
  for (const kept_rows& piece : kept)
    for_chunks(piece.end - piece.begin, chunk_rows, [&](row_range rows) {
      expand(piece.rows + rows.first * width, rows.n, all.part({piece.begin + rows.first, rows.n}));
    });
  return {{0, n, all.data}};
}

void block_run::make_queries_alone(const float_rows& q) {
  for_chunks(out_.h.n, chunk_rows, [&](row_range rows) {
    const bool after = shape_.form.form == DLENS_BLOCK_NORM_AFTER;
    make_queries(tools_.normed(after ? norm_weights{} : w_.attn_norm, out_.h.part(rows)), rows, q);
  });
}

void block_run::make_queries(const input_rows& x, row_range rows, const float_rows& q) {
  const dlens_attention& a = *shape_.attention;
  const float_rows to = q.part(rows);
  if (w_.attn_gate.present()) {
    const float_rows gate{call_.scratch.gate.data(), out_.h.n, std::size_t{a.n_heads} * a.value_dim};
    w_.attn_gate.apply(tools_.kernels, x, gate.part(rows), call_.scratch);
  }
  w_.q.apply(tools_.kernels, a.q_rank > 0 ? low_rank_queries(x) : x, to, call_.scratch);
  if (a.clip != 0) tools_.kernels.clip(to.data, static_cast<float>(a.clip), to.n * to.width);
  turn(to, a.n_heads, w_.q_norm, places_of(out_.queries, rows), static_cast<float>(a.scale));
}

// The first n_heads heads of each row: normed, if there is a norm for them, turned by the row's position and
// scaled. A norm as wide as a head takes every head by itself, one of the whole width all of them as one.
void block_run::turn(const float_rows& rows, std::size_t n_heads, const norm_weights& norm,
                     const row_places& at, float scale) const {
  const dlens_attention& a = *shape_.attention;
  rotation by{.n_heads = n_heads,
              .head_dim = a.head_dim,
              .begin = a.rope_begin,
              .dims = a.rope_dims,
              .cosine = nullptr,
              .sine = nullptr,
              .interleaved = a.rope_kind == DLENS_ROPE_INTERLEAVED,
              .scale = scale};
  for (std::size_t i = 0; i < rows.n; ++i) {
    float* row = rows.row(i);
    if (norm.present()) norm.apply(tools_.kernels, row, n_heads * a.head_dim / norm.width(), row);
    if (a.rope_dims > 0) {
      const rotary_table& angles = call_.angles(shape_.rope, at.rope_long && at.rope_long[i] != 0);
      by.cosine = angles.cosine(static_cast<std::size_t>(at.position[i]));
      by.sine = angles.sine(static_cast<std::size_t>(at.position[i]));
    }
    if (a.rope_dims > 0 || scale != 1) tools_.kernels.rotate(row, by);
  }
}

// Copies what later packs need of the tokens that the pack keeps.
void block_run::keep_rows(const float_rows& rows) {
  if (!call_.kept) return;
  const std::vector<std::uint32_t>& tokens = p_.kept_tokens;
  float* to = call_.kept->layers[call_.slot(layer_)].rows.reserve_raw(tokens.size() * rows.width);
  for (const std::uint32_t token : tokens) to = std::copy_n(rows.row(token), rows.width, to);
}

}  // namespace depthlens::cpu
