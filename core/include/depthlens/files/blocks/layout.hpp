// SPDX-License-Identifier: Apache-2.0
// What each element or block type is called and how many values it holds in how many bytes: one row per type,
// in the order of the type numbers. How the bytes become numbers is the matter of the other headers here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "depthlens/files/tensor.hpp"

namespace depthlens {

// One block of a dtype: how many values it holds in how many bytes.
struct block_layout {
  std::size_t values;
  std::size_t bytes;
};

namespace detail {

struct dtype_row {
  dtype type;
  const char* name;
  block_layout block;
};

inline constexpr std::array<dtype_row, 17> dtype_rows = {{
    {dtype::f32, "F32", {1, 4}},
    {dtype::f16, "F16", {1, 2}},
    {dtype::bf16, "BF16", {1, 2}},
    {dtype::q4_0, "Q4_0", {32, 18}},
    {dtype::q4_1, "Q4_1", {32, 20}},
    {dtype::q5_0, "Q5_0", {32, 22}},
    {dtype::q5_1, "Q5_1", {32, 24}},
    {dtype::q8_0, "Q8_0", {32, 34}},
    {dtype::q2_k, "Q2_K", {256, 84}},
    {dtype::q3_k, "Q3_K", {256, 110}},
    {dtype::q4_k, "Q4_K", {256, 144}},
    {dtype::q5_k, "Q5_K", {256, 176}},
    {dtype::q6_k, "Q6_K", {256, 210}},
    {dtype::iq4_nl, "IQ4_NL", {32, 18}},
    {dtype::iq4_xs, "IQ4_XS", {256, 136}},
    {dtype::mxfp4, "MXFP4", {32, 17}},
    {dtype::mxfp4_pairs, "MXFP4 in pairs", {32, 16}},
}};

constexpr bool dtype_rows_are_in_order() {
  for (std::size_t i = 0; i < dtype_rows.size(); ++i) {
    if (static_cast<std::size_t>(dtype_rows[i].type) != i) return false;
  }
  return true;
}
static_assert(dtype_rows_are_in_order());

}  // namespace detail

// {0, 0} for dtype::other and for numbers that are no type (they may come through the C interface).
constexpr block_layout block_size(dtype type) noexcept {
  const auto i = static_cast<std::size_t>(type);
  return i < detail::dtype_rows.size() ? detail::dtype_rows[i].block : block_layout{0, 0};
}

// As model files spell it: "Q4_K"; "other" where block_size is {0, 0}.
constexpr const char* dtype_name(dtype type) noexcept {
  const auto i = static_cast<std::size_t>(type);
  return i < detail::dtype_rows.size() ? detail::dtype_rows[i].name : "other";
}

// The names of all types that dequantize() reads, for messages: "F32, F16, ... and MXFP4".
inline std::string readable_dtypes() {
  std::string out;
  constexpr std::size_t n = detail::dtype_rows.size() - 1;  // the last one is two tensors in a file
  for (std::size_t i = 0; i < n; ++i) {
    if (i > 0) out += i + 1 < n ? ", " : " and ";
    out += detail::dtype_rows[i].name;
  }
  return out;
}

}  // namespace depthlens
