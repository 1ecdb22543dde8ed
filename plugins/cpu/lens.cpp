// SPDX-License-Identifier: Apache-2.0
#include "lens.hpp"

#include "single_thread.hpp"

#include "depthlens/backend/checked_transports.hpp"

namespace depthlens::cpu {

lens make_lens(std::uint64_t n, const dlens_transport* const* given, std::uint32_t n_layers,
               std::size_t d_model, matmul_shapes& shapes) {
  lens out;
  workspace scratch;
  for (const dlens_transport* t : checked_transports(n, given, n_layers)) {
    transport& made = out.layers.emplace_back();
    made.layer = t->layer;
    made.form = static_cast<transport_form>(t->form);
    if (has_matrix(*t)) {
      run_single_threaded([&] {
        made.a = std::make_unique<packed_matrix>(shapes.get(d_model, d_model, precision::f32));
        made.a->assign(t->a, scratch);
      });
    }
    if (has_offset(*t)) made.b.assign(t->b, t->b + d_model);
  }
  return out;
}

}  // namespace depthlens::cpu
