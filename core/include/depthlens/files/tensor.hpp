// SPDX-License-Identifier: Apache-2.0
// Named read-only views of weight tensors as they lie in a mapped model file, quantised blocks included.
// A view owns nothing: the file it points into must outlive it (see model/model_files.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace depthlens {

// Element or block types. The numbers are part of the C interface (abi/types.h): never renumber.
enum class dtype : std::uint32_t {
  f32 = 0,
  f16 = 1,
  bf16 = 2,
  q4_0 = 3,
  q4_1 = 4,
  q5_0 = 5,
  q5_1 = 6,
  q8_0 = 7,
  q2_k = 8,
  q3_k = 9,
  q4_k = 10,
  q5_k = 11,
  q6_k = 12,
  iq4_nl = 13,
  iq4_xs = 14,
  mxfp4 = 15,
  mxfp4_pairs = 16,  // two tensors of a folder in one: see tensor_view::scales
  other = 255,       // known to the file format, no numbers here; listed by `models`, refused as a weight
};

// A tensor as a file stores it is row-major without gaps and leaves the strides at 0. A canonical tensor of a
// model (model/tensor_map.hpp) has 1 or 2 dimensions and may be a part of a fused or transposed one: element
// (r, c) is element
//   ((r / row_group) * group_stride + r % row_group) * row_stride + c * column_stride
// counted from data, as dlens_tensor of abi/types.h has it.
struct tensor_view {
  std::string name;  // as the file names it, or the canonical name, see model/tensor_names.hpp
  depthlens::dtype type = dtype::f32;
  std::vector<std::uint64_t> shape;
  const std::byte* data = nullptr;                  // may be unaligned; blocks run along the last dimension
  std::size_t bytes = 0;                            // from data to the end of the last element
  std::uint64_t row_group = 0, group_stride = 0;    // rows
  std::uint64_t row_stride = 0, column_stride = 0;  // elements
  const std::byte* scales = nullptr;                // of mxfp4_pairs: a byte for each block counted from data
  std::size_t scale_bytes = 0;
};

}  // namespace depthlens
