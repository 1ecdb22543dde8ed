// SPDX-License-Identifier: Apache-2.0
// The figures that run.json lists, and how they are drawn from the CSVs beside it.
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

struct run_figure {
  figure_spec figure;
  figure_run about;
  std::filesystem::path csv;
  std::string stem;   // of its files in plots/
  std::string study;  // the word of its experiment
};
// ordinary: without those that are drawn on request alone.
enum class figure_choice { ordinary, all };
// In the order of run.json, each followed by itself beside its control, where it has one. Throws
// status::no_input where none is listed or a CSV is missing, data where run.json is damaged.
std::vector<run_figure> figures_of(const std::filesystem::path& run, const boost::json::object& manifest,
                                   figure_choice choice = figure_choice::ordinary);
bool lists_figures(const boost::json::object& manifest);

// "png,svg,pdf" -> its parts; others are status::usage.
std::vector<std::string> parse_formats(const std::string& list);

// `asked`, and the formats that pictures of the run have already: those are not left behind.
std::vector<std::string> formats_to_draw(const std::filesystem::path& run, std::vector<std::string> asked);

// missing: figures that lack a picture in one of the formats, or of which a file is not as run.json notes it
// (output_digests.hpp)
enum class redraw { all, missing };

// Whether figures can be drawn behind tables that were just finished. Where there is no gnuplot that is said,
// with what draws them later; one that cannot say its version is status::unavailable.
bool can_draw(std::string_view later);

// The tables that figures are drawn from, by path within the run, each once.
std::vector<std::string> tables_of_figures(const boost::json::object& manifest);
// The formats in which run.json notes a picture.
std::vector<std::string> formats_noted(const boost::json::object& manifest);

// Notes the files of such pictures, and the script and data of each, as they are now.
void note_figures(boost::json::object& manifest, const std::filesystem::path& run,
                  const std::vector<std::filesystem::path>& pictures);

// Where and how figures are drawn that somebody asks for.
struct drawing_request {
  std::filesystem::path folder;  // made where it is not there
  std::vector<std::string> formats;
  redraw which = redraw::all;
  figure_look look = {};
  figure_choice choice = figure_choice::ordinary;
  std::vector<std::string> left = {};  // scripts as "plots/NAME.gp", whose figures are not drawn
};

// Returns the pictures drawn, in the order of run.json. Several figures are drawn at a time, each by a
// gnuplot of its own. A missing CSV is status::no_input.
std::vector<std::filesystem::path> draw_figures(const std::filesystem::path& run,
                                                const boost::json::object& manifest,
                                                const drawing_request& request);
// Their scripts that lie in plots/ and were edited, as "plots/NAME.gp".
std::vector<std::string> edited_scripts(const std::filesystem::path& run,
                                        const boost::json::object& manifest);

// The same, behind tables that were just finished. Nothing is drawn where run.json lists no figure, or where
// they cannot be drawn.
std::optional<std::vector<std::filesystem::path>> draw_figures_if_any(const std::filesystem::path& run,
                                                                      const boost::json::object& manifest,
                                                                      const std::vector<std::string>& formats,
                                                                      redraw which);

}  // namespace depthlens
