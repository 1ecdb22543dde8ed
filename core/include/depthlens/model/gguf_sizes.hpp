// SPDX-License-Identifier: Apache-2.0
// Sizes in GGUF metadata: one number, or one for each layer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/files/gguf.hpp"

namespace depthlens::detail {

// From 1 to `top`; `otherwise` where the file does not say.
inline std::uint32_t gguf_size(const gguf_file& file, const std::string& key, std::uint32_t top,
                               std::optional<std::uint32_t> otherwise = {}) {
  const auto given = file.find_same_u32(key);
  if (!given && otherwise) return *otherwise;
  const std::uint32_t value = given ? *given : file.require_u32(key);
  if (value < 1 || value > top)
    fail(status::data, file.path(), ": ", key, " is ", value, ", expected 1 to ", top);
  return value;
}

// The numbers of a list by layer, or one number for all; nothing without the key.
inline std::vector<std::uint32_t> gguf_by_layer(const gguf_file& file, const std::string& key,
                                                std::uint32_t n) {
  const gguf_value* const value = file.find(key);
  if (value == nullptr) return {};
  if (!std::holds_alternative<gguf_array>(value->data)) return std::vector(n, file.require_u32(key));
  std::vector<std::uint32_t> out;
  const std::vector<std::int64_t> each = *file.find_ints(key);
  for (const std::int64_t x : each) {
    if (!std::in_range<std::uint32_t>(x))
      fail(status::data, file.path(), ": ", printable(key), " = ", x, " is out of range");
    out.push_back(static_cast<std::uint32_t>(x));
  }
  if (out.size() != n)
    fail(status::data, file.path(), ": ", key, " has ", out.size(), " layers, expected ", n);
  return out;
}

}  // namespace depthlens::detail
