// SPDX-License-Identifier: Apache-2.0
// What every tokenizer must fulfil that a reader accepts, whatever the file says.
#pragma once

#include "fuzz/check.hpp"

#include "depthlens/tokenizer/tokenizer.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::fuzz {

inline void check_ids(const tokenizer& t, const std::vector<std::int32_t>& ids) {
  for (const std::int32_t id : ids)
    promise(id >= 0 && static_cast<std::size_t>(id) < t.size(), "id ", id, " of ", t.size(), " tokens");
}

// Encodes and decodes the given text and one with white space, digits and broken characters.
inline void check_tokenizer(const tokenizer& t, std::string_view text) {
  promise(t.size() > 0 && t.content_hash().size() == 64, "a tokenizer without tokens");
  constexpr std::string_view mixed =
      " It's\t2026 \xC3\xA9\xE2\x96\x81\xFF\xE2\x96 e\xCC\x81 <s> </s>\n\n  end";
  for (const std::string_view s : {text.substr(0, 512), mixed}) {
    for (const auto mode : {tokenizer::special::add, tokenizer::special::none}) {
      const std::vector<std::int32_t> ids = t.encode(s, mode);
      check_ids(t, ids);
      promise(t.encode(s, mode) == ids, "the same text has other ids the second time");
      t.decode(ids);
    }
  }
  check_ids(t, t.prefix());
  if (t.bos()) check_ids(t, {*t.bos()});
}

}  // namespace depthlens::fuzz
