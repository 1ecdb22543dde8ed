// SPDX-License-Identifier: Apache-2.0
// Stored weights to float32: plain floats and quantised blocks (blocks/*.hpp has each family). Each product
// of a scale and a quantum is exact in float32 (at most 24 bits), so the values do not depend on the
// instruction set or on fused multiply-add; they equal gguf-py's dequantisation bit for bit.
#pragma once

#include <cstddef>
#include <cstring>

#include "depthlens/base/error.hpp"
#include "depthlens/files/blocks/halves.hpp"
#include "depthlens/files/blocks/k_quants.hpp"
#include "depthlens/files/blocks/layout.hpp"
#include "depthlens/files/blocks/legacy.hpp"
#include "depthlens/files/blocks/tables.hpp"
#include "depthlens/files/tensor.hpp"

namespace depthlens {

namespace detail {

// `blocks` blocks of a quantised type to floats at dst; nothing for a type of plain floats.
DEPTHLENS_DEVICE inline void decode_blocks(dtype type, const std::byte* src, std::size_t blocks,
                                           float* dst) noexcept {
  switch (type) {
    case dtype::q4_0:
      return dequantize_nibbles<false, false>(src, blocks, dst);
    case dtype::q4_1:
      return dequantize_nibbles<true, false>(src, blocks, dst);
    case dtype::q5_0:
      return dequantize_nibbles<false, true>(src, blocks, dst);
    case dtype::q5_1:
      return dequantize_nibbles<true, true>(src, blocks, dst);
    case dtype::q8_0:
      return dequantize_q8_0(src, blocks, dst);
    case dtype::q2_k:
      return dequantize_q2_k(src, blocks, dst);
    case dtype::q3_k:
      return dequantize_q3_k(src, blocks, dst);
    case dtype::q4_k:
      return dequantize_q45_k<false>(src, blocks, dst);
    case dtype::q5_k:
      return dequantize_q45_k<true>(src, blocks, dst);
    case dtype::q6_k:
      return dequantize_q6_k(src, blocks, dst);
    case dtype::iq4_nl:
      return dequantize_iq4_nl(src, blocks, dst);
    case dtype::iq4_xs:
      return dequantize_iq4_xs(src, blocks, dst);
    case dtype::mxfp4:
      return dequantize_mxfp4(src, blocks, dst);
    default:
      return;
  }
}

}  // namespace detail

// n values of `type` at src to floats at dst (n). n is a multiple of block_size(type).values; src may be
// unaligned and holds n / values * bytes bytes; src and dst do not overlap. Errors: status::data for
// dtype::other or an n that splits a block. Thread-safe.
inline void dequantize(dtype type, const std::byte* src, std::size_t n, float* dst) {
  const block_layout block = block_size(type);
  if (block.values == 0) fail(status::data, "a tensor of this block type cannot be read as numbers");
  if (n % block.values != 0) {
    fail(status::data, n, " values do not fill whole ", dtype_name(type), " blocks of ", block.values);
  }
  const std::size_t blocks = n / block.values;
  switch (type) {
    case dtype::mxfp4_pairs:
      fail(status::internal, "blocks of MXFP4 in pairs are read with their scales");
    case dtype::f32:
      if (n > 0) std::memcpy(dst, src, n * sizeof(float));
      break;
    case dtype::f16:
      return detail::widen<f16_to_f32>(src, n, dst);
    case dtype::bf16:
      return detail::widen<bf16_to_f32>(src, n, dst);
    default:
      return detail::decode_blocks(type, src, blocks, dst);
  }
}

}  // namespace depthlens
