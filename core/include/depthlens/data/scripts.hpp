// SPDX-License-Identifier: Apache-2.0
// Scripts that are written without blanks between words, told by single characters. Where such a text goes
// on, no blank stands in between.
#pragma once

#include <algorithm>
#include <iterator>

namespace depthlens {

// Letters, marks, digits and punctuation of Thai, Lao, Tibetan, Burmese, Khmer, Tai, Javanese and their
// neighbours, of Chinese and Japanese (Han, Hiragana, Katakana, Bopomofo, Yi), and the full-width forms.
// Korean is written with blanks.
inline bool is_unspaced_script(char32_t c) noexcept {
  struct range {
    char32_t first, last;
  };
  constexpr range ranges[] = {
      {0x0E00, 0x0EFF},    // Thai, Lao
      {0x0F00, 0x0FFF},    // Tibetan
      {0x1000, 0x109F},    // Burmese
      {0x1780, 0x17FF},    // Khmer
      {0x1950, 0x19DF},    // Tai Le, New Tai Lue
      {0x1A20, 0x1AAF},    // Tai Tham
      {0x1B00, 0x1B7F},    // Balinese
      {0x2E80, 0x2FDF},    // radicals
      {0x3001, 0x312F},    // punctuation, Hiragana, Katakana, Bopomofo; U+3000 is a blank
      {0x3190, 0x31FF},    // annotations, Bopomofo, strokes, Katakana
      {0x3220, 0x4DBF},    // enclosed forms, Han
      {0x4E00, 0xA4CF},    // Han, Yi
      {0xA980, 0xA9DF},    // Javanese
      {0xA9E0, 0xA9FF},    // Burmese
      {0xAA60, 0xAADF},    // Burmese, Tai Viet
      {0xF900, 0xFAFF},    // Han
      {0xFE30, 0xFE4F},    // punctuation for vertical text
      {0xFF01, 0xFF9F},    // full-width forms, half-width Katakana
      {0x16FE0, 0x18DFF},  // iteration marks, Tangut, Khitan
      {0x1AFF0, 0x1B16F},  // Kana
      {0x1F200, 0x1F2FF},  // enclosed Han
      {0x20000, 0x3FFFD},  // Han
  };
  const auto after = std::upper_bound(std::begin(ranges), std::end(ranges), c,
                                      [](char32_t value, const range& r) { return value < r.first; });
  return after != std::begin(ranges) && c <= std::prev(after)->last;
}

}  // namespace depthlens
