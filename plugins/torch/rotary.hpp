// SPDX-License-Identifier: Apache-2.0
// Rotary positions: the angles of a call's tokens, and heads turned by them.
#pragma once

#include "depthlens/abi/backend.h"

#include <ATen/ATen.h>

#include <cstdint>

namespace depthlens::torch_backend {

// Of a rope_table, its scale in them; undefined where a block has no rotary positions.
struct rope_angles {
  at::Tensor cosine, sine;  // (rows, 1, rope_dims / 2), float32

  // Of these rows; `rows` undefined = all.
  rope_angles of(const at::Tensor& rows) const {
    if (!rows.defined() || !cosine.defined()) return *this;
    return {cosine.index_select(0, rows), sine.index_select(0, rows)};
  }
};

// position (T), inverse_frequency (rope_dims / 2), or (T, rope_dims / 2) where tokens have their own.
rope_angles make_angles(const at::Tensor& position, const at::Tensor& inverse_frequency, double scale);

// heads (rows, heads, width) turned by the attention's rotary positions in its dimensions from `begin` on; of
// any type, which is kept.
at::Tensor turned(const at::Tensor& heads, const rope_angles& angles, const dlens_attention& a,
                  std::int64_t begin);

}  // namespace depthlens::torch_backend
