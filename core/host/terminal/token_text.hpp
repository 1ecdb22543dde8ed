// SPDX-License-Identifier: Apache-2.0
// A token as people are shown it: what cannot be seen is made visible, and nothing of it can steer a terminal
// or the order in which a page is read.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace depthlens {

// Blanks as U+00B7, ends of lines as U+23CE (LF) and U+240D (CR), tabs as U+21E5. Bytes that are no UTF-8,
// and characters that have no form of their own (controls, marks of direction, blanks of no or another
// width), as \xNN; so are marks heaped on one letter, which would cover the lines above, and these four signs
// themselves, so that each text is one token's.
std::string shown_token(std::string_view bytes);
// The same of a text of several words, in which blanks stay as they are.
std::string shown_text(std::string_view bytes);

// Its first `most` characters, with U+2026 behind them where that is not all.
std::string shortened_text(const std::string& text, std::size_t most);

// How many columns of a terminal it takes.
std::size_t columns_of_text(const std::string& text);

// The text, cut or filled up with blanks to so many columns of a terminal, of which some characters take two
// and some none.
std::string column_text(const std::string& text, std::size_t width);

}  // namespace depthlens
