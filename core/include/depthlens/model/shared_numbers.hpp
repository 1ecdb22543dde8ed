// SPDX-License-Identifier: Apache-2.0
// Numbers that many blocks have alike. A few bytes of a file may ask for thousands of blocks, so each of them
// must not hold a copy.
#pragma once

#include <memory>
#include <utility>
#include <vector>

namespace depthlens {

// Read-only; copies are of one piece of memory, from any thread.
class shared_numbers {
 public:
  shared_numbers() = default;
  explicit shared_numbers(std::vector<float> values)
      : values_(std::make_shared<const std::vector<float>>(std::move(values))) {}

  const std::vector<float>& values() const noexcept {
    static const std::vector<float> none;
    return values_ ? *values_ : none;
  }

 private:
  std::shared_ptr<const std::vector<float>> values_;
};

}  // namespace depthlens
