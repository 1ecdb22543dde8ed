// SPDX-License-Identifier: Apache-2.0
// Is a picture whole? gnuplot ends well, and says nothing, where it could not write all of one.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace depthlens {

// All that figures are drawn as; each is the ending of its files too.
inline constexpr std::array<std::string_view, 4> picture_formats = {"png", "svg", "pdf", "tikz"};

// "" where the bytes are a whole picture of the format, else what is wrong: "ends without
// </svg>". PNG: every chunk to its end; PDF: the table of objects stands where the file says, so no byte
// before it is lost.
std::string picture_fault(std::string_view format, std::string_view bytes);

}  // namespace depthlens
