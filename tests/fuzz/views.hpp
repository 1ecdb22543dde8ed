// SPDX-License-Identifier: Apache-2.0
// What every tensor that a model computes with must fulfil: all its elements lie within one stored tensor,
// and can be read as numbers.
#pragma once

#include "fuzz/check.hpp"

#include "depthlens/files/blocks.hpp"
#include "depthlens/model/tensor_map.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace depthlens::fuzz {

inline bool lies_within(const tensor_view& part, const tensor_view& whole) {
  return part.data >= whole.data && part.data <= whole.data + whole.bytes &&
         part.bytes <= static_cast<std::size_t>(whole.data + whole.bytes - part.data);
}

inline void check_canonical(std::span<const tensor_view> tensors, std::span<const raw_tensor> raw) {
  for (const tensor_view& t : tensors) {
    const bool inside =
        std::any_of(raw.begin(), raw.end(), [&](const raw_tensor& r) { return lies_within(t, *r.view); });
    promise(inside, "tensor ", t.name, " leaves its stored tensor");
    promise(!t.shape.empty() && t.shape.size() <= 2 && t.row_group > 0, "tensor ", t.name, " has no rows");
    const std::size_t rows = t.shape[0], columns = t.shape.size() == 2 ? t.shape[1] : 1, last = rows - 1;
    promise(rows > 0 && columns > 0, "tensor ", t.name, " is empty");
    const std::size_t element = (last / t.row_group * t.group_stride + last % t.row_group) * t.row_stride +
                                (columns - 1) * t.column_stride;
    const auto block = block_size(t.type);
    promise(element / block.values * block.bytes + block.bytes <= t.bytes, "the last element of ", t.name,
            " lies outside");
    touch(t.data, t.bytes);
  }
}

// The first numbers of a stored tensor, of any type that can be read.
inline void read_numbers(const tensor_view& view) {
  if (view.type == dtype::other) return;
  const auto block = block_size(view.type);
  const std::size_t blocks = std::min<std::size_t>(view.bytes / block.bytes, 16);
  std::vector<float> numbers(blocks * block.values);
  dequantize(view.type, view.data, numbers.size(), numbers.data());
}

}  // namespace depthlens::fuzz
