// SPDX-License-Identifier: Apache-2.0
// Texts from outside in a picture that TeX reads, where every text is a program until it is escaped.
#pragma once

#include <string>
#include <string_view>

namespace depthlens {

// LaTeX that shows `text`, in math mode nowhere but for signs that are there alone. Letters of Latin
// alphabets stay as they are (UTF-8), other characters that are no part of every font are an empty square
// each.
std::string tex_text(std::string_view text);

// The picture that gnuplot's tikz terminal wrote without the lines of remarks in it, one of which is the
// time, and with one that says what it needs.
std::string without_gnuplots_remarks(std::string_view picture);

}  // namespace depthlens
