// SPDX-License-Identifier: Apache-2.0
// What all parts of a block are made with: norms and products of rows, a chunk at a time, in one call's
// scratch memory. What a product takes is rounded, if the weights are.
#pragma once

#include "kernels/kernels.hpp"
#include "matmul.hpp"
#include "weights.hpp"
#include "workspace.hpp"

#include "depthlens/abi/backend.h"

#include <cstddef>
#include <cstdint>

namespace depthlens::cpu {

// Rows that go through a block together and stay in the cache.
constexpr std::size_t chunk_rows = matmul_shape::max_rows;

struct part_tools {
  const kernel_table& kernels;
  precision held;  // what weights and the inputs of products are rounded to
  workspace& scratch;

  bool rounds() const { return held == precision::bf16; }

  // x (up to chunk_rows, width) as products take them. Floats that no norm changes stay where they are; all
  // else is in `room` until it is used again.
  input_rows normed(const norm_weights& norm, const float_rows& h, float_buffer& room) const;
  input_rows normed(const norm_weights& norm, const float_rows& h) const {
    return normed(norm, h, scratch.normed);
  }
  // map in: (rows, outputs), in scratch.product until the next one.
  float_rows product(const linear& map, const input_rows& in) const;
  // The inner values of a dense part or an expert of width d_ff, (rows, d_ff), as `down` takes them: in
  // scratch.inner until the next call. By tiles, each its gates and then as many of up: the product of one
  // stays in the cache until it is reduced.
  input_rows inner_values(const channel_weights& w, const dlens_block& form, std::size_t d_ff,
                          const input_rows& x) const;
  // h (rows, D) += scale * norm(x), or scale * x where there is no such norm; x changes.
  void add_normed(const norm_weights& norm, const float_rows& x, double scale, const float_rows& h) const;
};

}  // namespace depthlens::cpu
