// SPDX-License-Identifier: Apache-2.0
#include "heads.hpp"

#include "device.hpp"

namespace depthlens::torch_backend {

namespace {

at::Tensor clipped(const block_work& work, const at::Tensor& x) {
  const double most = work.shape.attention->clip;
  return most == 0 ? x : x.clamp(-most, most);
}

// heads (rows, heads, width) of any type, which is kept. A norm goes over each head, or over all together.
at::Tensor normed(const norm_weights& norm, const at::Tensor& heads) {
  if (!norm.present()) return heads;
  const at::Tensor x = heads.to(at::kFloat);
  const at::Tensor all = norm.width() == heads.size(2) ? x : x.reshape({heads.size(0), 1, norm.width()});
  return norm.apply(all).view(heads.sizes()).to(heads.scalar_type());
}

// The first dimensions of a head's key are its own, the last ones all heads share.
keys_values make_latent(const block_work& work, const at::Tensor& x, const rope_angles& angles) {
  const dlens_attention& a = *work.shape.attention;
  const block_weights& w = work.weights;
  const std::int64_t heads = a.n_heads, turning = a.rope_dims, own = a.head_dim - turning;
  const at::Tensor latent = w.kv_down_norm.apply(work.multiply(w.kv_down, x).to(at::kFloat)).to(work.type);
  at::Tensor k = work.multiply(w.latent_k, latent).view({-1, heads, own});
  if (turning > 0) {
    const at::Tensor shared =
        turned(work.multiply(w.k_rope, x).view({-1, 1, turning}), angles, a, /*begin=*/0);
    k = at::cat({k, shared.expand({-1, heads, -1})}, 2);
  }
  return {k, work.multiply(w.latent_v, latent).view({-1, heads, a.value_dim})};
}

at::Tensor make_queries(const block_work& work, const at::Tensor& x, const rope_angles& angles) {
  const dlens_attention& a = *work.shape.attention;
  const block_weights& w = work.weights;
  const at::Tensor from = a.q_rank == 0 ? x : w.q_down_norm.apply(work.multiply(w.q_down, x).to(at::kFloat));
  const at::Tensor q = clipped(work, work.multiply(w.q, from)).view({-1, a.n_heads, a.head_dim});
  return turned(normed(w.q_norm, q), angles, a, a.rope_begin);
}

}  // namespace

keys_values make_keys_values(const block_work& work, const at::Tensor& x, const rope_angles& angles) {
  const dlens_attention& a = *work.shape.attention;
  if (a.kv_rank > 0) return make_latent(work, x, angles);
  const std::int64_t n = a.n_kv_heads;
  const at::Tensor kv = clipped(work, work.multiply(work.weights.kv, x)).view({-1, 2 * n, a.head_dim});
  return {turned(normed(work.weights.k_norm, kv.narrow(1, 0, n)), angles, a, a.rope_begin),
          normed(work.weights.v_norm, kv.narrow(1, n, n))};
}

at::Tensor attention_output(const block_work& work, const at::Tensor& x, const rope_angles& angles,
                            const keys_values& kv, const tree_attention& over) {
  const block_weights& w = work.weights;
  const std::vector<float>& slopes = work.shape.alibi_slopes;
  const attention_form form{.shape = *work.shape.attention,
                            .sinks = w.sinks,
                            .alibi_slopes = slopes.empty() ? at::Tensor() : to_device(slopes, x.device())};
  at::Tensor mixed = over.apply(make_queries(work, x, angles), kv.k, kv.v, form);
  if (w.attn_gate.present())
    mixed = mixed.to(at::kFloat).mul(work.multiply(w.attn_gate, x).to(at::kFloat).sigmoid_());
  return work.multiply(w.o, mixed).to(at::kFloat);
}

}  // namespace depthlens::torch_backend
