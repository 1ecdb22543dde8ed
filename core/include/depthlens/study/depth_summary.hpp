// SPDX-License-Identifier: Apache-2.0
// The summaries of experiments that follow a target through the layers: earliest layer against k, the onset
// of every prompt at a few k, and means per layer; with the tables and figures that show them. The experiment
// decides which rows count and in which category.
#pragma once

#include "depthlens/experiment.hpp"
#include "depthlens/study/layer_means.hpp"
#include "depthlens/study/onset.hpp"
#include "depthlens/study/onset_list.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens {

// A row about a target at a layer, as the summaries see it.
struct depth_row {
  std::uint64_t prompt_id = 0;
  std::int64_t layer = 0;
  layer_measures measures = {};
};

// Whose rank and log-probability it has: the row's target, or the data's answer, which the row must have.
enum class depth_of { target, gold };

// Reads it from a table of layer_columns.
class depth_row_reader {
 public:
  depth_row_reader(const description& tables, std::uint32_t table, depth_of what = depth_of::target)
      : prompt_id_(tables.column_of(table, "prompt_id")),
        layer_(tables.column_of(table, "layer")),
        rank_(tables.column_of(table, what == depth_of::gold ? "gold_rank" : "rank")),
        logprob_(tables.column_of(table, what == depth_of::gold ? "gold_logprob" : "logprob")),
        entropy_(tables.column_of(table, "entropy")),
        kl_(tables.column_of(table, "kl")) {}

  depth_row operator()(const dlens_row& row) const {
    return {static_cast<std::uint64_t>(prompt_id_.i64(row)),
            layer_.i64(row),
            {.rank = static_cast<std::uint64_t>(rank_.i64(row)),
             .probability = std::exp(logprob_.f64(row)),
             .entropy = entropy_.f64(row),
             .kl = kl_.f64(row)}};
  }

 private:
  row_column prompt_id_, layer_, rank_, logprob_, entropy_, kl_;
};

// A curve of the figures. `more` and behind it `words` are values of the experiment's own columns at the end
// of all three tables.
struct depth_category {
  std::string name;
  std::vector<std::int64_t> more = {};
  std::vector<std::string> words = {};
};

class depth_summary {
 public:
  // Layers are 0..n_layers.
  depth_summary(std::vector<depth_category> categories, const std::vector<std::uint64_t>& grid,
                std::uint32_t n_layers)
      : n_layers_(n_layers) {
    for (depth_category& c : categories)
      series_.push_back(
          {std::move(c), onset_curve(grid, n_layers), {}, std::vector<layer_means>(n_layers + 1)});
  }

  // What tells one reading from the next: data set, record, table, position.
  using reading_key = std::array<std::uint64_t, 4>;

  // One row. The rows of a reading come together, layers ascending.
  void add(std::size_t category, const reading_key& key, const depth_row& row) {
    if (row.layer < 0 || row.layer > static_cast<std::int64_t>(n_layers_))
      fail(status::data, "no layer ", row.layer);
    if (layers_.empty() || key != key_ || category != category_) {
      flush();
      key_ = key, category_ = category, prompt_id_ = row.prompt_id;
    }
    layers_.push_back(row.layer);
    ranks_.push_back(row.measures.rank);
    series_[category].means[static_cast<std::size_t>(row.layer)].add(row.measures);
  }

  // Readings of a category so far.
  std::uint64_t readings(std::size_t category) {
    flush();
    return series_[category].curve.prompts();
  }
  // Calls fn(category, point) for each k of each category that has readings, in order.
  template <class Function>
  void each_point(const Function& fn) {
    flush();
    for (const series& s : series_)
      for (std::size_t g = 0; s.curve.prompts() > 0 && g < s.curve.size(); ++g) fn(s.category, s.curve.at(g));
  }

  // Writes the three tables by their numbers.
  void write(const sink_view& sink, std::uint32_t earliest, std::uint32_t onsets, std::uint32_t layers) {
    each_point([&](const depth_category& category, const onset_curve::point& p) {
      append(sink, earliest, category,
             {whole(p.k), number(p.mean_first), number(p.mean_stable), number(p.median_first), whole(p.n),
              whole(p.never), number(p.std_first), whole(p.n_stable)});
    });
    for (series& s : series_) {
      write_onsets(sink, onsets, s);
      for (std::size_t layer = 0; layer < s.means.size(); ++layer) {
        if (s.means[layer].n() == 0) continue;
        std::vector<dlens_value> values = s.means[layer].values();
        values.insert(values.begin(), whole(layer));
        append(sink, layers, s.category, values);
      }
    }
  }

 private:
  struct series {
    depth_category category;
    onset_curve curve;
    onset_list onsets;
    std::vector<layer_means> means;  // by layer
  };

  static dlens_value whole(std::uint64_t v) { return i64_value(static_cast<std::int64_t>(v)); }
  static dlens_value number(std::optional<double> v) { return v ? f64_value(*v) : null_value(); }
  static dlens_value layer_value(std::optional<std::int64_t> v) { return v ? i64_value(*v) : null_value(); }

  static void append(const sink_view& sink, std::uint32_t table, const depth_category& category,
                     std::vector<dlens_value> values) {
    values.insert(values.begin(), text_value(category.name));
    for (const std::int64_t v : category.more) values.push_back(i64_value(v));
    for (const std::string& v : category.words) values.push_back(text_value(v));
    sink.append(table, values);
  }

  void flush() {
    if (layers_.empty()) return;
    series& s = series_[category_];
    s.curve.add(layers_, ranks_);
    s.onsets.add(prompt_id_, layers_, ranks_);
    layers_.clear();
    ranks_.clear();
  }

  void write_onsets(const sink_view& sink, std::uint32_t table, const series& s) const {
    for (std::size_t i = 0; i < onset_list::thresholds; ++i) {
      const std::uint64_t n = s.onsets.with_first(i);
      s.onsets.each(i, [&](std::uint64_t prompt_id, auto first, auto stable) {
        append(sink, table, s.category,
               {whole(density_thresholds[i]), whole(prompt_id), layer_value(first), layer_value(stable),
                whole(n), whole(s.onsets.size() - n)});
      });
    }
  }

  std::uint32_t n_layers_;
  std::vector<series> series_;
  // The reading whose rows are coming in.
  reading_key key_{};
  std::size_t category_ = 0;
  std::uint64_t prompt_id_ = 0;
  std::vector<std::int64_t> layers_;
  std::vector<std::uint64_t> ranks_;
};

// The three tables of depth_summary::write, ids "earliest", "onsets" and "layers".
inline std::vector<table> depth_tables(const std::string& experiment, const std::vector<column>& more = {}) {
  const auto with_more = [&](std::vector<column> columns) {
    columns.insert(columns.end(), more.begin(), more.end());
    return columns;
  };
  std::vector<column> layers = {{"category", DLENS_TEXT, "what the prompts have in common"},
                                {"layer", DLENS_I64, "0 = embeddings, i = output of block i - 1"}};
  for (const column& c : layer_means::columns()) layers.push_back(c);
  return {{"earliest", "earliest_layer_" + experiment + "_{lens}",
           with_more({{"category", DLENS_TEXT, "what the prompts have in common"},
                      {"k", DLENS_I64, "threshold"},
                      {"mean_first", DLENS_F64,
                       "first layer with rank <= k, mean over the n prompts that have one"},
                      {"mean_stable", DLENS_F64,
                       "first layer from which rank <= k holds to the end, mean over n_stable"},
                      {"median_first", DLENS_F64, "as mean_first"},
                      {"n", DLENS_I64, "prompts with rank <= k at some layer"},
                      {"never", DLENS_I64, "prompts without"},
                      {"std_first", DLENS_F64, "population standard deviation over the n prompts"},
                      {"n_stable", DLENS_I64, "prompts with rank <= k at the last layer"}}),
           DLENS_TABLE_SUMMARY},
          {"onsets", "onsets_" + experiment + "_{lens}",
           with_more({{"category", DLENS_TEXT, "what the prompts have in common"},
                      {"k", DLENS_I64, "threshold: 1, 5, 50, 100, 500, 1000"},
                      {"prompt_id", DLENS_I64, "row number in the input, from 0"},
                      {"first", DLENS_I64, "first layer with rank <= k, empty where there is none"},
                      {"stable", DLENS_I64, "first layer from which rank <= k holds to the end"},
                      {"n", DLENS_I64, "prompts of the category with a first layer"},
                      {"never", DLENS_I64, "prompts without"}}),
           DLENS_TABLE_SUMMARY},
          {"layers", "layers_" + experiment + "_{lens}", with_more(std::move(layers)), DLENS_TABLE_SUMMARY}};
}

// Which measures the panels of the layer figure show, and how categories look in it.
struct depth_figure_style {
  std::string what;                   // in titles: "parts of speech"
  std::string earliest_file;          // file name of the first figure
  std::string color = {}, dash = {};  // column ids
  bool probability = true, entropy = true;
};

// The three figures over depth_tables: earliest layer, density of the onset, measures per layer.
inline std::vector<figure> depth_figures(const std::string& experiment, const depth_figure_style& style) {
  figure earliest{.kind = DLENS_FIGURE_LINES,
                  .id = "earliest",
                  .file = style.earliest_file,
                  .title = "Earliest layer of " + style.what,
                  .table = "earliest",
                  .series = "category",
                  .color = style.color,
                  .dash = style.dash,
                  .count = "n",
                  .never = "never"};
  figure density = earliest;
  density.kind = DLENS_FIGURE_DENSITY;
  density.id = "density";
  density.file = "onset_density_" + experiment + "_{lens}";
  density.title = "First layer with rank <= k, " + style.what;
  density.table = "onsets";
  figure layers = earliest;
  layers.id = layers.table = "layers";
  layers.file = "layers_" + experiment + "_{lens}";
  layers.title = "Target per layer, " + style.what;
  layers.never = "";

  const auto onset = [](const char* mean, const char* title) {
    return panel{.x = mean,
                 .y = "k",
                 .x_label = "Layer",
                 .y_label = "k (rank k or better)",
                 .flags = DLENS_PANEL_LAYER_X | DLENS_PANEL_LOG_Y,
                 .title = title};
  };
  earliest.panels = {onset("mean_first", "First crossing"), onset("mean_stable", "Stable onset")};
  for (const std::uint64_t k : density_thresholds)
    density.panels.push_back({.x = "first",
                              .x_label = "Layer",
                              .y_label = "Density",
                              .flags = DLENS_PANEL_LAYER_X,
                              .title = cat("k = ", k),
                              .where = cat("k=", k)});
  const auto measure = [](const char* mean, const char* label, const char* title, std::uint32_t flags = 0) {
    return panel{.x = "layer",
                 .y = mean,
                 .x_label = "Layer",
                 .y_label = label,
                 .flags = DLENS_PANEL_LAYER_X | flags,
                 .title = title};
  };
  layers.panels = {measure("mean_rank", "Mean rank", "Rank", DLENS_PANEL_LOG_Y)};
  if (style.probability)
    layers.panels.push_back(measure("mean_probability", "Mean probability", "Probability"));
  if (style.entropy) layers.panels.push_back(measure("mean_entropy", "Mean entropy (nats)", "Entropy"));
  return {std::move(earliest), std::move(density), std::move(layers)};
}

}  // namespace depthlens
