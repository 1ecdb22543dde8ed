// SPDX-License-Identifier: Apache-2.0
// Is a picture whole? gnuplot ends well, and says nothing, where it could not write all of one.
#pragma once

#include <string>
#include <string_view>

namespace depthlens {

// "" where the bytes are a whole picture of the format (png, svg or pdf), else what is wrong: "ends without
// </svg>". PNG: every chunk to its end; PDF: the table of objects stands where the file says, so no byte
// before it is lost.
std::string picture_fault(std::string_view format, std::string_view bytes);

}  // namespace depthlens
