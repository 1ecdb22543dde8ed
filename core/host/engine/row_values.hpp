// SPDX-License-Identifier: Apache-2.0
// The values of a row as a table can hold them: what a plugin gives as text need not be UTF-8.
#pragma once

#include "depthlens/base/abi_error.hpp"
#include "depthlens/base/text.hpp"

#include <deque>
#include <string>
#include <vector>

namespace depthlens {

// Texts that are no UTF-8 are taken in the reversible form of visible(); all else is as it was given, and is
// not copied.
class row_values {
 public:
  row_values(const dlens_value* values, std::uint64_t n) : data_(values) {
    for (std::uint64_t i = 0; i < n; ++i) {
      if (values[i].type != DLENS_TEXT) continue;
      const std::string_view text = to_view(values[i].as.text);
      if (utf8_first_broken(text) == std::string_view::npos) continue;
      if (copy_.empty()) copy_.assign(values, values + n);
      copy_[i].as.text = to_text(texts_.emplace_back(visible(text)));
    }
    if (!copy_.empty()) data_ = copy_.data();
  }
  row_values(const row_values&) = delete;
  row_values& operator=(const row_values&) = delete;

  const dlens_value* data() const { return data_; }

 private:
  const dlens_value* data_;
  std::vector<dlens_value> copy_;
  std::deque<std::string> texts_;  // do not move
};

}  // namespace depthlens
