// SPDX-License-Identifier: Apache-2.0
// Draws the figures that run.json lists, from the CSVs beside it.
#pragma once

#include "figures/draw.hpp"
#include "results/manifest.hpp"

#include <boost/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace depthlens {

// "png,svg,pdf" -> its parts; others are status::usage.
std::vector<std::string> parse_formats(const std::string& list);

// Returns the pictures, in the order of run.json. Several figures are drawn at a time, each by a gnuplot of
// its own. A missing CSV is status::no_input.
std::vector<std::filesystem::path> draw_figures(const std::filesystem::path& run,
                                                const boost::json::object& manifest,
                                                const std::vector<std::string>& formats);

}  // namespace depthlens
