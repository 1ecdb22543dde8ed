// SPDX-License-Identifier: Apache-2.0
// Pieces of the JSON that commands print, in the shortest form that reads back as the same numbers.
#pragma once

#include "depthlens/base/utf8.hpp"
#include "depthlens/table/numbers.hpp"

#include <boost/json.hpp>

#include <cmath>
#include <string>
#include <string_view>

namespace depthlens {

// Valid UTF-8, broken bytes as \xNN.
inline std::string json_text(std::string_view s) {
  return boost::json::serialize(boost::json::string(visible(s)));
}

// JSON has no NaN or infinity; they are written as null.
inline void put(std::string& out, float v) {
  if (std::isfinite(v))
    append_f32(out, v);
  else
    out += "null";
}

template <class Range, class Print>
void put_list(std::string& out, const Range& range, Print print) {
  out += '[';
  bool first = true;
  for (const auto& v : range) {
    if (!first) out += ',';
    first = false;
    print(v);
  }
  out += ']';
}

}  // namespace depthlens
