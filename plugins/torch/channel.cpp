// SPDX-License-Identifier: Apache-2.0
#include "channel.hpp"

#include "experts.hpp"

#include <c10/core/GradMode.h>

namespace depthlens::torch_backend {

at::Tensor activate(const at::Tensor& x, std::uint32_t activation) {
  switch (activation) {
    case DLENS_ACTIVATION_SILU:
      return at::silu(x);
    case DLENS_ACTIVATION_GELU:
      return at::gelu(x, "none");
    case DLENS_ACTIVATION_GELU_TANH:
      return at::gelu(x, "tanh");
    default:
      return at::relu(x);
  }
}

namespace {

// Several steps, so in float32.
at::Tensor clamped(const dlens_block& form, const at::Tensor& gate, const at::Tensor& up) {
  const double limit = form.activation_limit;
  const at::Tensor g = gate.to(at::kFloat).clamp_max(limit);
  const at::Tensor u = up.to(at::kFloat).clamp(-limit, limit);
  return at::sigmoid(g * form.activation_alpha).mul(g).mul_(u.add_(1));
}

}  // namespace

at::Tensor dense_output(const block_work& work, const channel_parts<linear, linear>& parts,
                        const at::Tensor& x) {
  const dlens_block& form = work.shape.form;
  at::Tensor inner = work.multiply(parts.inner, x);
  if (parts.gated) {
    const std::int64_t f = inner.size(1) / 2;
    const at::Tensor gate = inner.narrow(1, 0, f), up = inner.narrow(1, f, f);
    if (form.activation == DLENS_ACTIVATION_CLAMPED) {
      inner = clamped(form, gate, up);
    } else {
      const at::Tensor on = activate(gate, form.activation);
      inner = c10::GradMode::is_enabled() ? on.mul(up) : on.mul_(up);  // of relu autograd keeps the result
    }
  } else {
    inner = activate(inner, form.activation);
  }
  return work.multiply(parts.down, inner).to(at::kFloat);
}

at::Tensor channel_output(const block_work& work, const at::Tensor& h, const at::Tensor& x) {
  const block_weights& w = work.weights;
  at::Tensor out;
  if (work.shape.form.d_ff > 0) out = w.dense_post_norm.apply(dense_output(work, w.dense, x));
  if (work.shape.experts) {
    at::Tensor more = experts_output(work, h, x);
    out = out.defined() ? more.add_(out) : more;
  }
  return w.ffn_post_norm.apply(out);
}

}  // namespace depthlens::torch_backend
