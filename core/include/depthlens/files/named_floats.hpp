// SPDX-License-Identifier: Apache-2.0
// A tensor to be written: a name, a shape and float32 values that the caller keeps.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

struct named_floats {
  std::string name;
  std::vector<std::uint64_t> shape;  // row-major
  std::span<const float> values;

  std::string_view bytes() const noexcept {
    return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
  }
};

}  // namespace depthlens
