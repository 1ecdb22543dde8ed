// SPDX-License-Identifier: Apache-2.0
// What a GGUF file is made of: metadata value types and values, and the table of tensor block types (name,
// values and bytes per block). Types that depthlens cannot turn into numbers are here too, so that files can
// be listed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "depthlens/files/tensor.hpp"

namespace depthlens {

enum class gguf_type : std::uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

constexpr const char* gguf_type_name(gguf_type type) noexcept {
  constexpr const char* names[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                   "bool", "string", "array", "u64", "i64", "f64"};
  const auto i = static_cast<std::uint32_t>(type);
  return i < 13 ? names[i] : "unknown type";
}

// Bytes of one element; 0 for strings and arrays.
constexpr std::size_t gguf_type_size(gguf_type type) noexcept {
  constexpr std::size_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  const auto i = static_cast<std::uint32_t>(type);
  return i < 13 ? sizes[i] : 0;
}

// An array of strings holds views into the file; an array of numbers stays packed there (little endian,
// unaligned).
struct gguf_array {
  gguf_type type = gguf_type::u8;
  std::size_t count = 0;
  const std::byte* data = nullptr;        // numbers and bools
  std::vector<std::string_view> strings;  // strings
};

// All unsigned integers are widened to u64, signed to i64, floats to double.
struct gguf_value {
  gguf_type type = gguf_type::u8;
  std::variant<std::uint64_t, std::int64_t, double, bool, std::string_view, gguf_array> data;
};

struct gguf_entry {
  std::string_view key;
  gguf_value value;
};

// A tensor as the file names it. `view.type` is dtype::other for types that are only listed.
struct gguf_tensor {
  tensor_view view;
  std::uint32_t raw_type = 0;
  const char* type_name = "";
  std::uint64_t offset = 0;  // from the start of the data section
};

struct gguf_block_type {
  std::uint32_t raw;
  const char* name;
  std::uint32_t values;
  std::uint32_t bytes;
  dtype type;
};

// The table entry of a stored type number, or null for numbers that are unknown (or were withdrawn from the
// format).
inline const gguf_block_type* find_gguf_block_type(std::uint32_t raw) noexcept {
  using enum dtype;
  static constexpr gguf_block_type table[] = {
      {0, "F32", 1, 4, f32},           {1, "F16", 1, 2, f16},
      {2, "Q4_0", 32, 18, q4_0},       {3, "Q4_1", 32, 20, q4_1},
      {6, "Q5_0", 32, 22, q5_0},       {7, "Q5_1", 32, 24, q5_1},
      {8, "Q8_0", 32, 34, q8_0},       {9, "Q8_1", 32, 36, other},
      {10, "Q2_K", 256, 84, q2_k},     {11, "Q3_K", 256, 110, q3_k},
      {12, "Q4_K", 256, 144, q4_k},    {13, "Q5_K", 256, 176, q5_k},
      {14, "Q6_K", 256, 210, q6_k},    {15, "Q8_K", 256, 292, other},
      {16, "IQ2_XXS", 256, 66, other}, {17, "IQ2_XS", 256, 74, other},
      {18, "IQ3_XXS", 256, 98, other}, {19, "IQ1_S", 256, 50, other},
      {20, "IQ4_NL", 32, 18, iq4_nl},  {21, "IQ3_S", 256, 110, other},
      {22, "IQ2_S", 256, 82, other},   {23, "IQ4_XS", 256, 136, iq4_xs},
      {24, "I8", 1, 1, other},         {25, "I16", 1, 2, other},
      {26, "I32", 1, 4, other},        {27, "I64", 1, 8, other},
      {28, "F64", 1, 8, other},        {29, "IQ1_M", 256, 56, other},
      {30, "BF16", 1, 2, bf16},        {34, "TQ1_0", 256, 54, other},
      {35, "TQ2_0", 256, 66, other},   {39, "MXFP4", 32, 17, mxfp4},
  };
  for (const gguf_block_type& entry : table) {
    if (entry.raw == raw) return &entry;
  }
  return nullptr;
}

}  // namespace depthlens
