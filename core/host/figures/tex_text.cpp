// SPDX-License-Identifier: Apache-2.0
#include "tex_text.hpp"

#include <depthlens/base/utf8.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

namespace depthlens {
namespace {

constexpr std::array<std::pair<char32_t, std::string_view>, 35> words = {{
    {'\\', "\\textbackslash{}"},
    {'{', "\\{"},
    {'}', "\\}"},
    {'$', "\\$"},
    {'&', "\\&"},
    {'#', "\\#"},
    {'_', "\\_"},
    {'%', "\\%"},
    {'~', "\\textasciitilde{}"},
    {'^', "\\textasciicircum{}"},
    {'<', "\\textless{}"},
    {'>', "\\textgreater{}"},
    {'|', "\\textbar{}"},
    {'`', "\\textasciigrave{}"},
    {'-', "-{}"},
    {'\'', "\\textquoteright{}"},
    {0xA0, "~"},
    {0xAB, "\\guillemotleft{}"},
    {0xBB, "\\guillemotright{}"},
    {0xB1, "$\\pm$"},
    {0xB7, "$\\cdot$"},
    {0xD7, "$\\times$"},
    {0x2013, "\\textendash{}"},
    {0x2014, "\\textemdash{}"},
    {0x2018, "\\textquoteleft{}"},
    {0x2019, "\\textquoteright{}"},
    {0x201C, "\\textquotedblleft{}"},
    {0x201D, "\\textquotedblright{}"},
    {0x2026, "\\ldots{}"},
    {0x2190, "$\\leftarrow$"},
    {0x2192, "$\\rightarrow$"},
    {0x2212, "$-$"},
    {0x221E, "$\\infty$"},
    {0x2264, "$\\leq$"},
    {0x2265, "$\\geq$"},
}};

constexpr std::string_view empty_square = "{\\fboxsep0pt\\fbox{\\rule{0pt}{1.2ex}\\rule{0.9ex}{0pt}}}";

// Letters of Latin alphabets but for those that LaTeX does not know by themselves.
bool is_known_letter(char32_t c) {
  constexpr std::array<char32_t, 9> unknown = {0x126, 0x127, 0x138, 0x13F, 0x140, 0x149, 0x166, 0x167, 0x17F};
  return c < 0x180 && std::find(unknown.begin(), unknown.end(), c) == unknown.end();
}

std::string_view word_of(char32_t c) {
  const auto found = std::find_if(words.begin(), words.end(), [c](const auto& w) { return w.first == c; });
  return found == words.end() ? std::string_view() : found->second;
}

}  // namespace

std::string tex_text(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const utf8_character c = utf8_at(text, at);
    if (const std::string_view word = word_of(c.value); c.valid && !word.empty())
      out += word;
    else
      out += c.valid && is_known_letter(c.value) ? text.substr(at, c.size) : empty_square;
    at += c.size;
  }
  return out;
}

std::string without_gnuplots_remarks(std::string_view picture) {
  std::string out;
  for (std::size_t at = 0; at < picture.size();) {
    const std::size_t end = std::min(picture.find('\n', at), picture.size() - 1) + 1;
    const std::string_view line = picture.substr(at, end - at);
    if (!line.starts_with("%%")) out += line;
    if (at == 0)
      out +=
          "% Needs \\usepackage{gnuplot-lua-tikz}, a file that comes with gnuplot, and, for pdflatex, "
          "\\usepackage[T1]{fontenc}.\n";
    at = end;
  }
  return out;
}

}  // namespace depthlens
