// SPDX-License-Identifier: Apache-2.0
// A lens as the backend holds it: for each layer it reads, how the residual stream is carried to the output
// space.
#pragma once

#include "matmul.hpp"

#include "depthlens/abi/backend.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace depthlens::cpu {

enum class transport_form : std::uint32_t {
  identity = DLENS_TRANSPORT_IDENTITY,
  residual = DLENS_TRANSPORT_RESIDUAL,
  full = DLENS_TRANSPORT_FULL,
  constant = DLENS_TRANSPORT_CONSTANT,
};

struct transport {
  std::uint32_t layer = 0;
  transport_form form = transport_form::identity;
  std::unique_ptr<packed_matrix> a;  // residual and full; float32 whatever the model's weights are
  std::vector<float> b;              // (D), empty = zero

  bool is_identity() const { return form == transport_form::identity; }
  bool is_constant() const { return form == transport_form::constant; }
};

struct lens {
  std::vector<transport> layers;  // ascending
};

// Errors: those of checked_transports.
lens make_lens(std::uint64_t n, const dlens_transport* const* given, std::uint32_t n_layers,
               std::size_t d_model, matmul_shapes& shapes);

}  // namespace depthlens::cpu
