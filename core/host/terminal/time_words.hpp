// SPDX-License-Identifier: Apache-2.0
// Times in words, for messages.
#pragma once

#include "depthlens/base/error.hpp"

#include <algorithm>
#include <string>

namespace depthlens {

// A time for people: "7 s", "2 min 5 s", "3 h 20 min".
inline std::string time_words(double seconds) {
  const auto s = static_cast<long>(std::max(0.0, seconds) + 0.5);
  if (s < 60) return cat(s, " s");
  if (s < 3600) return cat(s / 60, " min ", s % 60, " s");
  return cat(s / 3600, " h ", s % 3600 / 60, " min");
}

}  // namespace depthlens
