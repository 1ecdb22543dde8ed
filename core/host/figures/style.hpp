// SPDX-License-Identifier: Apache-2.0
// How figures look: sizes in points (1/72 inch) at the size a paper prints them, colours, dash patterns,
// markers. Lines use the ten "colorblind" colours of seaborn, after Wong, Nature Methods 8 (2011) 441; bars
// of up to four series the bucket colours, which differ by 27 or more (CIE76) for deuteranopes and protanopes
// too (Machado 2009).
#pragma once

#include "figure_spec.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace depthlens::figure_style {

inline constexpr double one_column = 3.35 * 72, two_columns = 6.9 * 72;
inline constexpr double tallest = 9 * 72;  // what a journal's page has room for
inline constexpr double title_size = 9, text_size = 8, small_size = 7;
inline constexpr double line_width = 1.4, axis_width = 0.6;
inline constexpr double bar_gap = 0.12;  // of the distance between bars
inline constexpr double png_dpi = 300;

inline constexpr std::array<std::string_view, 4> bucket_colors = {"#F97316", "#2563EB", "#10B981", "#D1D5DB"};
// From dark to light, as far apart in lightness as bars that touch each other need.
inline constexpr std::array<std::string_view, 4> ordered_colors = {"#08306B", "#2F7EBC", "#89BEDC",
                                                                   "#DCE9F6"};
// Seen on each of them.
inline constexpr std::string_view whisker = "#DE8F05";
// The last of the bucket colours where bars are drawn as lines: thin lines need more contrast.
inline constexpr std::string_view grey_line = "#6B7280";
// The order puts the colours that are hardest to tell apart, or pale on paper, last.
inline constexpr std::array<std::string_view, 10> line_colors = {"#0173B2", "#DE8F05", "#029E73", "#D55E00",
                                                                 "#CC78BC", "#56B4E9", "#CA9161", "#949494",
                                                                 "#FBAFE4", "#ECE133"};
// In units of half the line width, as gnuplot takes them; "" = solid. Enough for three tokens of a fact and
// the missed ones, each beside its control.
inline constexpr std::array<std::string_view, 8> dashes = {
    "", "(8,4)", "(3,3)", "(10,4,3,4)", "(10,4,3,4,3,4)", "(16,4)", "(2,6)", "(8,3,8,3,2,3)"};
inline constexpr std::array<int, 6> markers = {7, 5, 9, 13, 11, 15};  // gnuplot's filled ones

// `kind` is the figure's own, `drawn_as` the one in which it is drawn: the series of one keep their colours
// in the other.
inline std::string_view color(figure_kind kind, figure_kind drawn_as, bool ordered, std::size_t group,
                              std::size_t n_groups) noexcept {
  if (ordered && is_bars(drawn_as) && n_groups <= ordered_colors.size()) return ordered_colors[group];
  if (is_bars(kind) && n_groups <= bucket_colors.size())
    return group == 3 && !is_bars(drawn_as) ? grey_line : bucket_colors[group];
  return line_colors[group % line_colors.size()];
}

// Once the colours are used up, the next round is told apart by its dashes.
inline std::string_view dash(std::size_t dash_group, std::size_t color_group) noexcept {
  return dashes[(dash_group + color_group / line_colors.size()) % dashes.size()];
}

inline int marker(std::size_t color_group) noexcept { return markers[color_group % markers.size()]; }

// Of a label inside a bar of this colour: the one with the better contrast.
inline std::string_view label_color(std::string_view bar) noexcept {
  return bar == ordered_colors[0] || bar == ordered_colors[1] || bar == bucket_colors[1] ||
                 bar == line_colors[0] || bar == line_colors[2] || bar == line_colors[3]
             ? "#FFFFFF"
             : "#2B2B2B";
}

}  // namespace depthlens::figure_style
