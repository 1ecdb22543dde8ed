// SPDX-License-Identifier: Apache-2.0
// A lens on libtorch: for each layer it reads, how the layer is carried to the output space.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/backend/work_counters.hpp"

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace depthlens::torch_backend {

struct transport {
  std::uint32_t layer = 0;
  std::uint32_t form = DLENS_TRANSPORT_IDENTITY;
  at::Tensor a;  // (D, D) float32, undefined where the form has none
  at::Tensor b;  // (D) float32, undefined = zero

  // h (P, D) -> (P, D), float32.
  at::Tensor carry(const at::Tensor& h, product_counter& count) const;
  bool is_identity() const { return form == DLENS_TRANSPORT_IDENTITY; }
  bool is_constant() const { return form == DLENS_TRANSPORT_CONSTANT; }
};

struct lens {
  // One set of transports for each device that the model is on.
  std::vector<std::vector<transport>> layers;  // (devices, L)
};

// Errors: those of checked_transports.
lens make_lens(std::uint64_t n, const dlens_transport* const* given, std::uint32_t n_layers,
               std::int64_t width, const std::vector<at::Device>& devices);

}  // namespace depthlens::torch_backend
