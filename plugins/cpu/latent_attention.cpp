// SPDX-License-Identifier: Apache-2.0
// Queries, keys and values of attention of low rank. What is kept of a token is its latent and the part of
// the key that all heads share; keys and values are made of it where they are needed.
#include "block.hpp"

#include <algorithm>

namespace depthlens::cpu {

input_rows block_run::low_rank_queries(const input_rows& x) {
  const float_rows down = tools_.product(w_.q_down, x);
  return tools_.normed(w_.q_down_norm, down, call_.scratch.gathered);
}

// kv of all tokens, as make_kv gives them; their latents (T, kv_rank + rope_dims) in scratch.latent.
float_rows block_run::make_latents(const float_rows& q) {
  const dlens_attention& a = *shape_.attention;
  workspace& s = call_.scratch;
  const float_rows latents = s.latent.rows(p_.stream.n, std::size_t{a.kv_rank} + a.rope_dims);
  const float_rows kv = s.kv.rows(p_.stream.n, heads().kv_width());
  for_chunks(p_.stream.n, chunk_rows, [&](row_range rows) {
    const input_rows x = tools_.normed(w_.attn_norm, p_.stream.part(rows));
    const float_rows down = tools_.product(w_.kv_down, x);
    if (w_.kv_down_norm.present()) w_.kv_down_norm.apply(tools_.kernels, down.data, down.n, down.data);
    for (std::size_t i = 0; i < rows.n; ++i) std::copy_n(down.row(i), a.kv_rank, latents.row(rows.first + i));
    if (together_) make_queries(x, rows, q);
    if (a.rope_dims == 0) return;
    const float_rows shared = tools_.product(w_.k_rope, x);
    for (std::size_t i = 0; i < rows.n; ++i) {
      float* const to = latents.row(rows.first + i) + a.kv_rank;
      std::copy_n(shared.row(i), a.rope_dims, to);
      const auto at = static_cast<std::size_t>(p_.tree.position[rows.first + i]);
      const rotary_table& angles = call_.angles(shape_.rope, p_.tree.is_long(rows.first + i));
      tools_.kernels.rotate(to, {.n_heads = 1,
                                 .head_dim = a.rope_dims,
                                 .begin = 0,
                                 .dims = a.rope_dims,
                                 .cosine = angles.cosine(at),
                                 .sine = angles.sine(at),
                                 .interleaved = a.rope_kind == DLENS_ROPE_INTERLEAVED,
                                 .scale = 1});
    }
  });
  for_chunks(p_.stream.n, chunk_rows,
             [&](row_range rows) { expand(latents.row(rows.first), rows.n, kv.part(rows)); });
  keep_rows(latents);
  return kv;
}

// Keys and values of up to chunk_rows tokens from their latents.
void block_run::expand(const float* latents, std::size_t n, const float_rows& kv) {
  const dlens_attention& a = *shape_.attention;
  const std::size_t width = std::size_t{a.kv_rank} + a.rope_dims, own = a.head_dim - a.rope_dims;
  const std::size_t keys = std::size_t{a.n_heads} * a.head_dim;
  const float_rows l = call_.scratch.gathered.rows(chunk_rows, a.kv_rank).part({0, n});
  for (std::size_t i = 0; i < n; ++i) std::copy_n(latents + i * width, a.kv_rank, l.row(i));
  const input_rows x = tools_.normed({}, l);
  const float_rows k = tools_.product(w_.latent_k, x);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t head = 0; head < a.n_heads; ++head) {
      float* const to = kv.row(i) + head * a.head_dim;
      std::copy_n(k.row(i) + head * own, own, to);
      std::copy_n(latents + i * width + a.kv_rank, a.rope_dims, to + own);
    }
  const float_rows v = tools_.product(w_.latent_v, x);
  for (std::size_t i = 0; i < n; ++i) std::copy_n(v.row(i), v.width, kv.row(i) + keys);
}

}  // namespace depthlens::cpu
