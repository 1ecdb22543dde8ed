// SPDX-License-Identifier: Apache-2.0
// Draws figures: pictures, and beside them the gnuplot script and the data that made them.
#pragma once

#include "compose.hpp"
#include "drawn_figure.hpp"
#include "figure_spec.hpp"
#include "gnuplot_process.hpp"

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace depthlens {

// Writes STEM.dat and STEM.gp to `plots_dir`, which exists, then the pictures STEM.png, STEM.svg, STEM.pdf as
// named in `formats` (picture_formats). Each file is written beside its place and renamed; a picture that
// gnuplot did not finish is status::io and not kept. Returns the pictures' paths in the order of `formats`.
// A panel without data says so. One call per stem at a time; other stems may be drawn concurrently. Throws
// status::usage (unknown format; stem with '/', control characters, a leading '.', over 200 bytes), what
// read_figure throws, cannot_create and io; stopped where stop_asked(); unavailable where there is no
// gnuplot: STEM.dat and STEM.gp are there then.
std::vector<std::filesystem::path> draw_figure(const figure_spec& figure, const figure_run& run,
                                               const std::filesystem::path& csv,
                                               const std::filesystem::path& plots_dir,
                                               const std::string& stem, std::span<const std::string> formats,
                                               const figure_look& look = {});

// The same of a figure that is composed already.
std::vector<std::filesystem::path> draw_composed(const composed_figure& composed,
                                                 const std::filesystem::path& plots_dir,
                                                 const std::string& stem,
                                                 std::span<const std::string> formats);

}  // namespace depthlens
