// SPDX-License-Identifier: Apache-2.0
// The figures over depth_tables: earliest layer, who is there by which layer, measures per layer.
#pragma once

#include "depthlens/experiment.hpp"
#include "depthlens/study/onset.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace depthlens {

// Which measures the panels of the layer figure show, and how categories look in it.
struct depth_figure_style {
  std::string what;                   // in titles: "parts of speech"
  std::string earliest_file;          // file name of the first figure
  std::string color = {}, dash = {};  // column ids
  bool published = false;             // as the published code has them: densities of the onset
  bool probability = true, entropy = true;
};

namespace detail {

inline panel onset_panel(const std::string& mean, const char* title) {
  return {.x = mean,
          .y = "k",
          .x_label = "Layer",
          .y_label = "k (rank k or better)",
          .flags = DLENS_PANEL_LAYER_X | DLENS_PANEL_LOG_Y | DLENS_PANEL_INTERVAL_X,
          .title = title,
          .low = mean + "_low",
          .high = mean + "_high"};
}

// A panel for each k.
inline std::vector<panel> panels_by_threshold(const panel& like) {
  std::vector<panel> out;
  for (const std::uint64_t k : density_thresholds) {
    panel& p = out.emplace_back(like);
    p.x_label = "Layer";
    p.flags |= DLENS_PANEL_LAYER_X;
    p.title = cat("k = ", k);
    p.where = cat("k=", k);
  }
  return out;
}

inline figure shares_figure(figure like, const std::string& experiment, const std::string& what) {
  like.id = like.table = "shares";
  like.file = "onset_shares_" + experiment + "_{lens}";
  like.title = "Prompts with rank <= k by layer, " + what;
  like.never = "";
  like.panels = panels_by_threshold({.x = "layer",
                                     .y = "share",
                                     .y_label = "Share of prompts",
                                     .flags = DLENS_PANEL_PERCENT_Y,
                                     .low = "low",
                                     .high = "high"});
  return like;
}

// The published code's view of the same.
inline figure density_figure(figure like, const std::string& experiment, const std::string& what) {
  like.kind = DLENS_FIGURE_DENSITY;
  like.id = "density";
  like.table = "onsets";
  like.file = "onset_density_" + experiment + "_{lens}";
  like.title = "First layer with rank <= k, " + what;
  like.panels = panels_by_threshold({.x = "first", .y_label = "Density"});
  return like;
}

inline panel measure_panel(const std::string& column, const std::string& low, const std::string& high,
                           const char* label, const char* title, std::uint32_t flags = 0) {
  return {.x = "layer",
          .y = column,
          .x_label = "Layer",
          .y_label = label,
          .flags = DLENS_PANEL_LAYER_X | flags,
          .title = title,
          .low = low,
          .high = high};
}

}  // namespace detail

inline std::vector<figure> depth_figures(const std::string& experiment, const depth_figure_style& style) {
  const figure common{.kind = DLENS_FIGURE_LINES,
                      .id = {},
                      .file = {},
                      .title = {},
                      .table = {},
                      .series = "category",
                      .color = style.color,
                      .dash = style.dash,
                      .count = "n",
                      .never = "never"};
  figure earliest = common, layers = common;
  earliest.id = earliest.table = "earliest";
  earliest.file = style.earliest_file;
  earliest.title = "Earliest layer of " + style.what;
  earliest.panels = {detail::onset_panel("mean_first", "First crossing"),
                     detail::onset_panel("mean_stable", "Stable onset")};
  layers.id = layers.table = "layers";
  layers.file = "layers_" + experiment + "_{lens}";
  layers.title = "Target per layer, " + style.what;
  layers.never = "";
  layers.panels = {detail::measure_panel("median_rank", "lower_quartile_rank", "upper_quartile_rank",
                                         "Median rank (band: quartiles)", "Rank", DLENS_PANEL_LOG_Y)};
  const auto mean = [&](const std::string& column, const char* label, const char* title,
                        std::uint32_t flags = 0) {
    layers.panels.push_back(
        detail::measure_panel(column, column + "_low", column + "_high", label, title, flags));
  };
  if (style.probability) mean("mean_probability", "Mean probability", "Probability", DLENS_PANEL_PERCENT_Y);
  if (style.entropy) {
    mean("mean_entropy", "Mean entropy (nats)", "Entropy");
    mean("mean_kl", "Mean KL (nats)", "KL(final || layer)");
  }
  figure density = detail::density_figure(common, experiment, style.what);
  if (style.published) return {std::move(earliest), std::move(density), std::move(layers)};
  density.flags |= DLENS_DRAW_ON_REQUEST;
  return {std::move(earliest), detail::shares_figure(common, experiment, style.what), std::move(layers),
          std::move(density)};
}

}  // namespace depthlens
