// SPDX-License-Identifier: Apache-2.0
// The alphabet in which byte-level vocabularies are written: each byte is one printable character, e.g. a
// blank is U+0120. Here tokens are kept as the bytes themselves; this converts between the two.
#pragma once

#include "depthlens/base/utf8.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace depthlens {

// Printable Latin-1 characters stand for themselves; the other 68 bytes are U+0100, U+0101, ... in order.
class byte_alphabet {
 public:
  static const byte_alphabet& get() {
    static const byte_alphabet alphabet;
    return alphabet;
  }

  // The byte that a character stands for, or -1.
  int byte_of(char32_t c) const noexcept { return c < bytes_.size() ? bytes_[c] : -1; }
  char32_t character_of(unsigned char byte) const noexcept { return characters_[byte]; }

  // Appends the bytes that `written` stands for; false (and nothing appended) if a character is not of the
  // alphabet.
  bool append_bytes(std::string& out, std::string_view written) const {
    const std::size_t before = out.size();
    for (std::size_t at = 0; at < written.size();) {
      const utf8_character c = utf8_at(written, at);
      const int byte = c.valid ? byte_of(c.value) : -1;
      if (byte < 0) {
        out.resize(before);
        return false;
      }
      out += static_cast<char>(byte);
      at += c.size;
    }
    return true;
  }

  // The bytes as they are written in vocabulary files.
  std::string written(std::string_view bytes) const {
    std::string out;
    for (const char byte : bytes) {
      const char32_t c = character_of(static_cast<unsigned char>(byte));
      if (c < 0x80) {
        out += static_cast<char>(c);
      } else {
        out += static_cast<char>(0xC0 | (c >> 6));
        out += static_cast<char>(0x80 | (c & 0x3F));
      }
    }
    return out;
  }

 private:
  byte_alphabet() {
    bytes_.fill(-1);
    char32_t next = 0x100;
    for (unsigned b = 0; b < 256; ++b) {
      const bool itself = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xFF && b != 0xAD);
      characters_[b] = itself ? static_cast<char32_t>(b) : next++;
      bytes_[characters_[b]] = static_cast<std::int16_t>(b);
    }
  }

  std::array<std::int16_t, 0x100 + 68> bytes_{};
  std::array<char32_t, 256> characters_{};
};

}  // namespace depthlens
