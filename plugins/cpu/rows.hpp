// SPDX-License-Identifier: Apache-2.0
// Rows of values, one behind the other, with their number and width: what products and norms take and make.
// Views, which own nothing.
#pragma once

#include "kernels/kernels.hpp"

#include <algorithm>
#include <cstddef>

namespace depthlens::cpu {

struct row_range {
  std::size_t first, n;
};

// In how many pieces of at most `most` n things come.
inline std::size_t n_chunks(std::size_t n, std::size_t most) { return (n + most - 1) / most; }

// fn(row_range) for rows 0..n-1 in order, `most` at a time.
template <class Function>
void for_chunks(std::size_t n, std::size_t most, Function&& fn) {
  for (std::size_t first = 0; first < n; first += most) fn(row_range{first, std::min(most, n - first)});
}

// (n, width)
struct float_rows {
  float* data = nullptr;
  std::size_t n = 0, width = 0;

  float* row(std::size_t i) const { return data + i * width; }
  float_rows part(const row_range& rows) const { return {row(rows.first), rows.n, width}; }
};

// (n, width) as a product takes them: floats, which it rounds as its weights are, or values that have been
// rounded so. One of the pointers is null.
struct input_rows {
  const float* floats = nullptr;
  const bf16* rounded = nullptr;
  std::size_t n = 0, width = 0;

  input_rows() = default;
  input_rows(const float_rows& rows) : floats(rows.data), n(rows.n), width(rows.width) {}
  input_rows(const float* values, std::size_t rows, std::size_t columns)
      : floats(values), n(rows), width(columns) {}
  input_rows(const bf16* values, std::size_t rows, std::size_t columns)
      : rounded(values), n(rows), width(columns) {}

  input_rows part(const row_range& rows) const {
    return rounded ? input_rows(rounded + rows.first * width, rows.n, width)
                   : input_rows(floats + rows.first * width, rows.n, width);
  }
};

}  // namespace depthlens::cpu
