// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/base/utf8.hpp"

#include <cstdint>
#include <string>

namespace depthlens {

// What the user hears of prompts that end in white space, as ends_in_blank of base/utf8.hpp finds it.
inline std::string about_blank_ends(std::uint64_t n, std::uint64_t prompts) {
  return cat(n, " of ", prompts,
             " prompts end in a blank; they read badly, because most tokenizers put the blank in front of "
             "the next word");
}

}  // namespace depthlens
