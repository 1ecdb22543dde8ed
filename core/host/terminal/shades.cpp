// SPDX-License-Identifier: Apache-2.0
#include "terminal/shades.hpp"

#include "depthlens/base/error.hpp"

#include <algorithm>
#include <array>

namespace depthlens {
namespace {

struct shade {
  double from;     // probability
  int background;  // of the 256 colours
};
// Blue to yellow is told apart with any colour vision. Black on each has a contrast of 9 to 1 or more.
constexpr std::array shades = {shade{0.05, 250}, shade{0.2, 153}, shade{0.4, 117}, shade{0.6, 221},
                               shade{0.8, 214}};

std::string on_background(const std::string& text, int background) {
  constexpr int black = 16;
  return cat("\033[38;5;", black, ";48;5;", background, 'm', text, "\033[0m");
}

}  // namespace

std::string shaded(const std::string& text, double probability) {
  const auto above =
      std::find_if(shades.rbegin(), shades.rend(), [&](const shade& s) { return probability >= s.from; });
  return above == shades.rend() ? text : on_background(text, above->background);
}

std::string shade_legend() {
  std::string out = "shades: probability of";
  for (const shade& s : shades)
    out += ' ' + on_background(cat(' ', static_cast<int>(s.from * 100 + 0.5), " % "), s.background);
  return out + " or more";
}

}  // namespace depthlens
