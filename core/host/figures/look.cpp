// SPDX-License-Identifier: Apache-2.0
#include "look.hpp"

#include <depthlens/base/error.hpp>
#include <depthlens/base/text.hpp>

#include <array>
#include <charconv>
#include <system_error>
#include <utility>

namespace depthlens {
namespace {

double points_of(std::string_view width, double scale) {
  constexpr std::array<std::pair<std::string_view, double>, 3> units = {
      {{"in", 72}, {"cm", 72 / 2.54}, {"pt", 1}}};
  const double least = 2.5 * 72 * scale, most = 20 * 72;
  double number = 0;
  const auto [end, code] = std::from_chars(width.data(), width.data() + width.size(), number);
  const std::string_view unit = width.substr(static_cast<std::size_t>(end - width.data()));
  for (const auto& [name, points] : units)
    if (code == std::errc() && unit == name && number * points >= least && number * points <= most)
      return number * points;
  fail(status::usage, "--width ", visible_line(width),
       ": expected a number and in, cm or pt, as 3.25in; from ", least / 72, "in to 20in");
}

}  // namespace

figure_look parse_look(std::string_view style, std::string_view width, std::string_view titles) {
  figure_look out;
  if (style != "paper" && style != "slides" && style != "dark")
    fail(status::usage, "--style ", visible_line(style), ": expected paper, slides or dark");
  if (style == "slides") out.scale = 2;
  if (style == "dark") {
    out.paper = "#000000", out.ink = "#FFFFFF";
    out.soft_ink = "#C8C8C8", out.faint_ink = "#909090", out.grid = "#404040";
  }
  if (!width.empty()) out.width = points_of(width, out.scale) / out.scale;
  if (titles != "on" && titles != "off")
    fail(status::usage, "--titles ", visible_line(titles), ": expected on or off");
  out.titles = titles == "on";
  return out;
}

}  // namespace depthlens
