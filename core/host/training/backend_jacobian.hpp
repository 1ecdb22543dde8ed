// SPDX-License-Identifier: Apache-2.0
// The derivatives that a backend's model gives (abi/jacobian.h).
#pragma once

#include "depthlens/abi/jacobian.h"
#include "training/trainable_backend.hpp"

#include <cstdint>
#include <span>

namespace depthlens {

// Whether the model's backend gives them.
bool can_differentiate(const dlens_model* model);
inline constexpr backend_ability jacobian_ability{can_differentiate, "lens fit-jacobian",
                                                  "fit Jacobian lenses"};

class backend_jacobian {
 public:
  // Of a model whose backend can; it outlives this. All of it [main].
  backend_jacobian(const dlens_model* model, std::uint32_t threads);
  ~backend_jacobian();
  backend_jacobian(const backend_jacobian&) = delete;

  // As the functions of dlens_jacobian.
  void begin(const dlens_batch& batch, std::uint32_t copies);
  void rows(std::uint32_t first, std::uint32_t count, std::span<float> values);

 private:
  dlens_jacobian* jacobian_ = nullptr;
};

}  // namespace depthlens
