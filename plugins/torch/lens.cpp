// SPDX-License-Identifier: Apache-2.0
#include "lens.hpp"

#include "linear.hpp"

#include "depthlens/error.hpp"

namespace depthlens::torch_backend {

namespace {

at::Tensor copy_of(const float* values, at::IntArrayRef shape, at::Device device) {
  return at::from_blob(const_cast<float*>(values), shape, at::kFloat)
      .to(device, at::kFloat, false, /*copy=*/true);
}

transport make_transport(const dlens_transport& t, std::int64_t width, at::Device device) {
  transport made{t.layer, t.form, {}, {}};
  if (t.form == DLENS_TRANSPORT_RESIDUAL || t.form == DLENS_TRANSPORT_FULL) {
    if (!t.a) fail(status::internal, "a lens lacks the matrix of layer ", t.layer);
    made.a = copy_of(t.a, {width, width}, device);
  }
  if (t.form != DLENS_TRANSPORT_IDENTITY && t.b) made.b = copy_of(t.b, {width}, device);
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
  lens out;
  for (const at::Device& device : devices) {
    std::vector<transport>& layers = out.layers.emplace_back();
    for (std::uint64_t i = 0; i < n; ++i) {
      const dlens_transport* t = given ? given[i] : nullptr;
      if (!t || t->size < sizeof(dlens_transport))
        fail(status::internal, "layer ", i, " of a lens is not described");
      if (t->layer > n_layers)
        fail(status::internal, "a lens reads layer ", t->layer, "; the model has layers 0..", n_layers);
      if (i > 0 && t->layer <= layers.back().layer)
        fail(status::internal, "the layers of a lens do not ascend");
      if (t->form > DLENS_TRANSPORT_CONSTANT) fail(status::internal, "a lens has the unknown form ", t->form);
      layers.push_back(make_transport(*t, width, device));
    }
  }
  return out;
}

}  // namespace depthlens::torch_backend
