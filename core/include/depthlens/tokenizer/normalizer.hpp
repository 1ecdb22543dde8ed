// SPDX-License-Identifier: Apache-2.0
// What happens to text before it is cut into words: Unicode composition (NFC, by utf8proc), blanks written as another
// character, and a character put in front. Each is one step; unknown ones are refused where the file is read.
#pragma once

#include <utf8proc.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "depthlens/error.hpp"

namespace depthlens {

struct normalizer_step {
  enum class kind {
    nfc,            // Unicode normal form C
    replace,        // every `from` becomes `to`
    prepend,        // `to` is put in front
    prepend_once,   // `to` is put in front unless it is there
    prepend_first,  // as prepend_once, only at the start of the whole text
  };
  kind what;
  std::string from, to;
  bool operator==(const normalizer_step&) const = default;
};

// Where a piece of text stands: nothing is put in front of a piece that goes on right after a byte that is no UTF-8,
// because that byte is part of the text.
enum class piece_place { start, after_token, after_broken_byte };

namespace detail {

inline bool is_ascii(std::string_view text) noexcept {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

inline void compose(std::string& text) {
  if (is_ascii(text)) return;
  if (text.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    fail(status::data, "a text of ", text.size(), " bytes is too long to normalise");
  }
  utf8proc_uint8_t* out = nullptr;
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                 static_cast<utf8proc_ssize_t>(text.size()), &out,
                                 static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(out, &std::free);
  if (size < 0) fail(status::data, "a text cannot be normalised: ", utf8proc_errmsg(size));
  text.assign(reinterpret_cast<const char*>(out), static_cast<std::size_t>(size));
}

inline void replace_all(std::string& text, const std::string& from, const std::string& to) {
  std::string out;
  std::size_t done = 0;
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, done)) {
    out.append(text, done, at - done);
    out += to;
    done = at + from.size();
  }
  if (done == 0) return;
  out.append(text, done);
  text = std::move(out);
}

}  // namespace detail

// Applies the steps in order to `text` (valid UTF-8, in place). `from` of a replace step is not empty.
inline void normalize(std::span<const normalizer_step> steps, piece_place place, std::string& text) {
  using kind = normalizer_step::kind;
  for (const normalizer_step& step : steps) {
    switch (step.what) {
      case kind::nfc: detail::compose(text); break;
      case kind::replace: detail::replace_all(text, step.from, step.to); break;
      case kind::prepend_first:
        if (place != piece_place::start) break;
        [[fallthrough]];
      case kind::prepend_once:
        if (text.starts_with(step.to)) break;
        [[fallthrough]];
      case kind::prepend:
        if (!text.empty() && place != piece_place::after_broken_byte) text.insert(0, step.to);
        break;
    }
  }
}

}  // namespace depthlens
