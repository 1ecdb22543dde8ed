// SPDX-License-Identifier: Apache-2.0
// For backends: the transports of a lens, checked before anything is made of them.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/base/abi_error.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace depthlens {

// Whether the transport uses its a (D, D).
inline bool has_matrix(const dlens_transport& t) {
  return t.form == DLENS_TRANSPORT_RESIDUAL || t.form == DLENS_TRANSPORT_FULL;
}

// Whether the transport uses its b (D); where it is NULL, zero is meant.
inline bool has_offset(const dlens_transport& t) { return t.form != DLENS_TRANSPORT_IDENTITY && t.b; }

// The (n) transports that dlens_model.lens_create was given, for a model of layers 0..n_layers. All are
// described, ascend by layer, are of known forms and have the matrices that these use. A view of the caller's
// memory. Errors: status::internal. Any thread.
inline std::span<const dlens_transport* const> checked_transports(std::uint64_t n,
                                                                  const dlens_transport* const* given,
                                                                  std::uint32_t n_layers) {
  for (std::uint64_t i = 0; i < n; ++i) {
    const dlens_transport* t = given ? given[i] : nullptr;
    if (!t || !DLENS_HAS(dlens_transport, t, b))
      fail(status::internal, "layer ", i, " of a lens is not described");
    refuse_unknown_members(*t, "a lens");
    if (t->layer > n_layers)
      fail(status::internal, "a lens reads layer ", t->layer, "; the model has layers 0..", n_layers);
    if (i > 0 && t->layer <= given[i - 1]->layer)
      fail(status::internal, "the layers of a lens do not ascend");
    if (t->form > DLENS_TRANSPORT_CONSTANT) fail(status::internal, "a lens has the unknown form ", t->form);
    if (has_matrix(*t) && !t->a) fail(status::internal, "a lens lacks the matrix of layer ", t->layer);
  }
  return {given, static_cast<std::size_t>(n)};
}

}  // namespace depthlens
