// SPDX-License-Identifier: Apache-2.0
// Draws the figures that run.json lists, from the CSVs beside it.
#pragma once

#include "figures/draw.hpp"
#include "results/manifest.hpp"

#include <boost/json.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// "png,svg,pdf" -> its parts; others are status::usage.
std::vector<std::string> parse_formats(const std::string& list);

// `asked`, and the formats that pictures of the run have already: those are not left behind.
std::vector<std::string> formats_to_draw(const std::filesystem::path& run, std::vector<std::string> asked);

enum class redraw { all, missing };  // missing: figures that lack a whole picture in a format

// Whether figures can be drawn behind tables that were just finished. Where there is no gnuplot that is said,
// with what draws them later; one that cannot say its version is status::unavailable.
bool can_draw(std::string_view later);

// Returns the pictures drawn, in the order of run.json. Several figures are drawn at a time, each by a
// gnuplot of its own. A missing CSV is status::no_input.
std::vector<std::filesystem::path> draw_figures(const std::filesystem::path& run,
                                                const boost::json::object& manifest,
                                                const std::vector<std::string>& formats,
                                                redraw which = redraw::all);

// The same, behind tables that were just finished. Nothing is drawn where run.json lists no figure, or where
// they cannot be drawn.
std::optional<std::vector<std::filesystem::path>> draw_figures_if_any(const std::filesystem::path& run,
                                                                      const boost::json::object& manifest,
                                                                      const std::vector<std::string>& formats,
                                                                      redraw which);

}  // namespace depthlens
