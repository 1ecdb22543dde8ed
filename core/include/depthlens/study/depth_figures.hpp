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

inline figure onset_figure(figure like, const std::string& experiment, const depth_figure_style& style) {
  like.kind = style.published ? DLENS_FIGURE_DENSITY : DLENS_FIGURE_LINES;
  like.id = style.published ? "density" : "shares";
  like.file = (style.published ? "onset_density_" : "onset_shares_") + experiment + "_{lens}";
  like.title =
      (style.published ? "First layer with rank <= k, " : "Prompts with rank <= k by layer, ") + style.what;
  like.table = style.published ? "onsets" : "shares";
  if (!style.published) like.never = "";
  for (const std::uint64_t k : density_thresholds) {
    panel p{.x = style.published ? "first" : "layer",
            .x_label = "Layer",
            .y_label = style.published ? "Density" : "Share of prompts",
            .flags = DLENS_PANEL_LAYER_X,
            .title = cat("k = ", k),
            .where = cat("k=", k)};
    if (!style.published) {
      p.y = "share", p.low = "low", p.high = "high";
      p.flags |= DLENS_PANEL_PERCENT_Y;
    }
    like.panels.push_back(std::move(p));
  }
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
  return {std::move(earliest), detail::onset_figure(common, experiment, style), std::move(layers)};
}

}  // namespace depthlens
