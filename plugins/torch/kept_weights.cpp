// SPDX-License-Identifier: Apache-2.0
#include "kept_weights.hpp"

namespace depthlens::torch_backend {

namespace {

void keep(at::Tensor& t) {
  if (!t.defined()) return;
  t = t.is_mkldnn() ? t.to_dense() : at::from_blob(t.mutable_data_ptr(), t.sizes(), t.strides(), t.options());
}

void keep(norm_weights& n) {
  keep(n.weight);
  keep(n.bias);
}

void keep(linear& map) {
  map.visit_tensors([](at::Tensor& t) { keep(t); });
}

void keep(channel_parts<linear, linear>& parts) {
  keep(parts.inner);
  keep(parts.down);
}

void keep(block_weights& b) {
  visit_norms(b, [](norm_weights& n) { keep(n); });
  for (linear* map : {&b.q, &b.kv, &b.attn_gate, &b.o, &b.q_down, &b.kv_down, &b.k_rope, &b.latent_k,
                      &b.latent_v, &b.delta_qk, &b.delta_v_gate, &b.delta_beta_step, &b.router,
                      &b.shared_router, &b.layer_gate, &b.layer_out})
    keep(*map);
  for (at::Tensor* t :
       {&b.sinks, &b.delta_conv, &b.decay, &b.step_bias, &b.router_correction, &b.expert_scale})
    keep(*t);
  keep(b.dense);
  keep(b.shared);
  for (channel_parts<linear, linear>& e : b.experts) keep(e);
}

}  // namespace

model_weights kept_weights(const model_weights& w) {
  model_weights out = w;
  out.readouts.clear();
  for (norm_weights* n : {&out.embed_norm, &out.final_norm, &out.layer_embed_norm}) keep(*n);
  for (linear* map : {&out.in_projection, &out.out_projection, &out.layer_projection}) keep(*map);
  for (block_weights& b : out.blocks) keep(b);
  return out;
}

}  // namespace depthlens::torch_backend
