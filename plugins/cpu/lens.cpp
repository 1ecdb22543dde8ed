// SPDX-License-Identifier: Apache-2.0
#include "lens.hpp"

#include "single_thread.hpp"

#include "depthlens/error.hpp"

#include <utility>

namespace depthlens::cpu {

lens make_lens(std::uint64_t n, const dlens_transport* const* given, std::uint32_t n_layers,
               std::size_t d_model, matmul_shapes& shapes) {
  lens out;
  workspace scratch;
  for (std::uint64_t i = 0; i < n; ++i) {
    const dlens_transport* t = given ? given[i] : nullptr;
    if (!t || t->size < sizeof(dlens_transport))
      fail(status::internal, "layer ", i, " of a lens is not described");
    if (t->layer > n_layers) {
      fail(status::internal, "a lens reads layer ", t->layer, "; the model has layers 0..", n_layers);
    }
    if (i > 0 && t->layer <= out.layers.back().layer)
      fail(status::internal, "the layers of a lens do not ascend");
    if (t->form > DLENS_TRANSPORT_CONSTANT) fail(status::internal, "a lens has the unknown form ", t->form);
    transport& made = out.layers.emplace_back();
    made.layer = t->layer;
    made.form = static_cast<transport_form>(t->form);
    if (made.form == transport_form::residual || made.form == transport_form::full) {
      if (!t->a) fail(status::internal, "a lens lacks the matrix of layer ", t->layer);
      run_single_threaded([&] {
        made.a = std::make_unique<packed_matrix>(shapes.get(d_model, d_model, number::f32));
        made.a->assign(t->a, scratch);
      });
    }
    if (made.form != transport_form::identity && t->b) made.b.assign(t->b, t->b + d_model);
  }
  return out;
}

}  // namespace depthlens::cpu
