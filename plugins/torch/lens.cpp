// SPDX-License-Identifier: Apache-2.0
#include "lens.hpp"

#include "linear.hpp"

#include "depthlens/backend/checked_transports.hpp"

namespace depthlens::torch_backend {

namespace {

at::Tensor copy_of(const float* values, at::IntArrayRef shape, at::Device device) {
  return at::from_blob(const_cast<float*>(values), shape, at::kFloat)
      .to(device, at::kFloat, false, /*copy=*/true);
}

transport make_transport(const dlens_transport& t, std::int64_t width, at::Device device) {
  transport made{t.layer, t.form, {}, {}};
  if (has_matrix(t)) made.a = copy_of(t.a, {width, width}, device);
  if (has_offset(t)) made.b = copy_of(t.b, {width}, device);
  return made;
}

}  // namespace

at::Tensor transport::carry(const at::Tensor& h, product_counter& count) const {
  if (is_identity()) return h;
  at::Tensor out = a.defined() ? linear(a, {}).apply(h, &count) : at::zeros_like(h);
  if (form == DLENS_TRANSPORT_RESIDUAL) out.add_(h);
  return b.defined() ? out.add_(b) : out;
}

lens make_lens(std::uint64_t n, const dlens_transport* const* given, std::uint32_t n_layers,
               std::int64_t width, const std::vector<at::Device>& devices) {
  const auto transports = checked_transports(n, given, n_layers);
  lens out;
  for (const at::Device& device : devices) {
    std::vector<transport>& layers = out.layers.emplace_back();
    for (const dlens_transport* t : transports) layers.push_back(make_transport(*t, width, device));
  }
  return out;
}

}  // namespace depthlens::torch_backend
