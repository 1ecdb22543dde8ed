// SPDX-License-Identifier: Apache-2.0
// For backends: what is kept of a row of logits while it is reduced tile by tile. Plain data without
// functions, so that kernels compiled for other processors can share it.
#pragma once

#include <cstdint>

namespace depthlens {

struct target_state {
  float logit;
  std::uint32_t above;  // logits larger than it so far
  std::uint32_t equal;  // logits equal to it so far, itself among them
};

struct top_entry {
  float logit;
  std::int32_t id;
};

// What has been seen of one row of logits.
struct row_state {
  float maximum = -__builtin_inff();
  float centre = 0;                 // a constant near the maximum, for `crossed`
  double sum = 0;                   // of exp(z - maximum)
  double weighted = 0;              // of exp(z - maximum) (z - maximum)
  double crossed = 0;               // of w (z - centre), w = exp(z_final - its maximum)
  target_state* targets = nullptr;  // (n_targets)
  top_entry* top = nullptr;         // (top_k), the first n_top are filled, largest first
  std::uint32_t n_targets = 0;
  std::uint32_t top_k = 0;
  std::uint32_t n_top = 0;
};

// top_only: maximum and top; final: the model's own output, whose maximum is known; layer: any other.
enum class row_kind : std::uint32_t { top_only, final, layer };

}  // namespace depthlens
