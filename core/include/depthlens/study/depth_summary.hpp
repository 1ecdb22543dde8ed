// SPDX-License-Identifier: Apache-2.0
// The summaries of experiments that follow a target through the layers: earliest layer against k, the onset
// of every prompt at a few k, how many prompts are there by each layer, what two categories differ by, and
// means per layer, all with their intervals. The experiment decides which rows count and in which category.
// What the tables hold is depth_tables.hpp, the figures over them depth_figures.hpp.
#pragma once

#include "depthlens/experiment.hpp"
#include "depthlens/study/clustered.hpp"
#include "depthlens/study/depth_tables.hpp"
#include "depthlens/study/layer_means.hpp"
#include "depthlens/study/onset.hpp"
#include "depthlens/study/onset_intervals.hpp"
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
// of the tables.
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
      series_.push_back({std::move(c),
                         onset_curve(grid, n_layers),
                         onset_intervals(grid, n_layers),
                         {},
                         std::vector<layer_means>(n_layers + 1)});
  }

  // What tells one reading from the next: data set, record, table, position.
  using reading_key = std::array<std::uint64_t, 4>;

  // One row. The rows of a reading come together, layers ascending, all of one cluster.
  void add(std::size_t category, const reading_key& key, const cluster_weights& cluster,
           const depth_row& row) {
    if (row.layer < 0 || row.layer > static_cast<std::int64_t>(n_layers_))
      fail(status::data, "no layer ", row.layer);
    if (layers_.empty() || key != key_ || category != category_) {
      flush();
      key_ = key, category_ = category, prompt_id_ = row.prompt_id;
      cluster_ = cluster;
    }
    layers_.push_back(row.layer);
    ranks_.push_back(row.measures.rank);
    series_[category].means[static_cast<std::size_t>(row.layer)].add(cluster, row.measures);
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

  void write(const sink_view& sink, const depth_table_numbers& tables) {
    flush();
    for (series& s : series_) write_earliest(sink, tables.earliest, s);
    for (series& s : series_) {
      write_onsets(sink, tables.onsets, s);
      for (std::size_t layer = 0; layer < s.means.size(); ++layer) {
        if (s.means[layer].n() == 0) continue;
        std::vector<dlens_value> values = s.means[layer].values(s.intervals.clusters());
        values.insert(values.begin(), whole(layer));
        append(sink, tables.layers, s.category, values);
      }
      if (tables.shares) write_shares(sink, *tables.shares, s);
    }
    if (tables.differences) write_differences(sink, *tables.differences);
  }

 private:
  struct series {
    depth_category category;
    onset_curve curve;
    onset_intervals intervals;
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
    s.intervals.add(cluster_, layers_, ranks_);
    s.onsets.add(prompt_id_, layers_, ranks_);
    layers_.clear();
    ranks_.clear();
  }

  static void write_earliest(const sink_view& sink, std::uint32_t table, series& s) {
    if (s.curve.prompts() == 0) return;
    s.intervals.each_point([&](std::size_t g, const onset_intervals::point& ends) {
      const onset_curve::point p = s.curve.at(g);
      std::vector<dlens_value> values = {whole(p.k),
                                         number(p.mean_first),
                                         number(p.mean_stable),
                                         number(p.median_first),
                                         whole(p.n),
                                         whole(p.never),
                                         number(p.std_first),
                                         whole(p.n_stable),
                                         number(p.survival_mean),
                                         number(p.survival_median)};
      for (const std::optional<interval>& of : {ends.first, ends.stable, ends.survival})
        append_interval(values, of);
      values.push_back(whole(ends.first_clusters));
      append(sink, table, s.category, std::move(values));
    });
  }

  static void write_onsets(const sink_view& sink, std::uint32_t table, const series& s) {
    for (std::size_t i = 0; i < onset_list::thresholds; ++i) {
      const std::uint64_t n = s.onsets.with_first(i);
      s.onsets.each(i, [&](std::uint64_t prompt_id, auto first, auto stable) {
        append(sink, table, s.category,
               {whole(density_thresholds[i]), whole(prompt_id), layer_value(first), layer_value(stable),
                whole(n), whole(s.onsets.size() - n)});
      });
    }
  }

  static void write_shares(const sink_view& sink, std::uint32_t table, series& s) {
    const std::uint64_t n = s.curve.prompts();
    if (n == 0) return;
    s.intervals.each_share(s.curve, [&](std::uint64_t k, std::int64_t layer, std::uint64_t part,
                                        const std::optional<interval>& ends) {
      std::vector<dlens_value> values = {whole(k), i64_value(layer),
                                         f64_value(static_cast<double>(part) / static_cast<double>(n))};
      append_interval(values, ends);
      values.insert(values.end(), {whole(n), whole(s.intervals.clusters())});
      append(sink, table, s.category, std::move(values));
    });
  }

  // Of each two categories that have prompts.
  void write_differences(const sink_view& sink, std::uint32_t table) {
    for (std::size_t a = 0; a < series_.size(); ++a)
      for (std::size_t b = a + 1; b < series_.size(); ++b)
        if (series_[a].curve.prompts() > 0 && series_[b].curve.prompts() > 0)
          for (const std::uint64_t k : density_thresholds)
            write_difference(sink, table, series_[a], series_[b], k);
  }
  static void write_difference(const sink_view& sink, std::uint32_t table, series& a, series& b,
                               std::uint64_t k) {
    resampled_values values = a.intervals.difference(b.intervals, k);
    const std::uint64_t clusters = a.intervals.clusters_with(b.intervals);
    const double difference = *a.curve.at_k(k).survival_mean - *b.curve.at_k(k).survival_mean;
    std::vector<dlens_value> row = {text_value(a.category.name), text_value(b.category.name), whole(k),
                                    f64_value(difference)};
    // One prompt, however often it is drawn, says nothing of others.
    const bool both_vary = std::min(a.intervals.clusters(), b.intervals.clusters()) > 1;
    append_interval(row, both_vary ? values.ends(clusters) : std::nullopt);
    row.insert(row.end(), {number(both_vary ? values.above_zero() : std::nullopt), whole(clusters)});
    sink.append(table, row);
  }

  std::uint32_t n_layers_;
  std::vector<series> series_;
  // The reading whose rows are coming in.
  reading_key key_{};
  std::size_t category_ = 0;
  std::uint64_t prompt_id_ = 0;
  cluster_weights cluster_{0};
  std::vector<std::int64_t> layers_;
  std::vector<std::uint64_t> ranks_;
};

}  // namespace depthlens
