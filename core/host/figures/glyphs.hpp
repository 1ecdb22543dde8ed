// SPDX-License-Identifier: Apache-2.0
// Which characters a font of this machine can draw. Where none can, gnuplot's cairo terminals put a mark for
// a missing character that covers the whole picture.
#pragma once

#include <string>
#include <string_view>

namespace depthlens {

// The text with U+25A1, an empty square, for every character that no font here has; asks fontconfig
// (fc-list), once for each character. Latin, Greek, Cyrillic and the usual signs are taken for known. [any
// thread]
std::string drawable_text(std::string_view text);

}  // namespace depthlens
