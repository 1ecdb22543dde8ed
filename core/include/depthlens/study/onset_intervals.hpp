// SPDX-License-Identifier: Apache-2.0
// What the onsets of onset.hpp are in each resample of the clusters: their means at every threshold k, the
// mean over all prompts, where one that never gets there counts as the last layer, and the shares of prompts
// that are there by each layer. A prompt adds to a few places alone: its onset is the same for a whole range
// of k, and what is kept are the steps at the ends of the ranges.
#pragma once

#include "depthlens/study/clusters.hpp"
#include "depthlens/study/onset.hpp"
#include "depthlens/study/resampling.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace depthlens {

class onset_intervals {
 public:
  // As onset_curve. Memory: 32 KB for each k.
  onset_intervals(const std::vector<std::uint64_t>& grid, std::uint32_t n_layers)
      : grid_(grid),
        n_layers_(n_layers),
        steps_(grid.size()),
        by_layer_(density_thresholds.size() * (n_layers + 1)) {}

  // One prompt: ranks (L) at layers (L), ascending, within 0..n_layers.
  void add(const cluster_weights& of, std::span<const std::int64_t> layers,
           std::span<const std::uint64_t> ranks) {
    prompts_.add(of);
    const std::size_t first = add_first(of, layers, ranks), stable = add_stable(of, layers, ranks);
    clusters_.add(of.key(), {static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(stable)});
    for (std::size_t i = 0; i < density_thresholds.size(); ++i)
      if (const auto layer = first_onset(layers, ranks, density_thresholds[i]))
        by_layer_[place(i, *layer)].add(of);
  }

  // At one k.
  struct point {
    std::optional<interval> first, stable;  // of the means over the prompts that have one
    std::optional<interval> survival;       // of the mean over all prompts
    std::uint64_t first_clusters = 0, clusters = 0;
  };
  // Calls fn(g, point) for every k, ascending.
  template <class Function>
  void each_point(const Function& fn) {
    step sum;
    for (std::size_t g = 0; g < grid_.size(); ++g) {
      sum.add(steps_[g]);
      const auto at = static_cast<std::uint32_t>(g);
      point p{.first_clusters = clusters_.up_to(0, at), .clusters = clusters_.size()};
      p.first = ratios(sum.first_layers, sum.first).ends(p.first_clusters);
      p.stable = ratios(sum.stable_layers, sum.stable).ends(clusters_.up_to(1, at));
      p.survival = survival_of(sum).ends(p.clusters);
      fn(g, p);
    }
  }

  // Share of prompts whose first onset at a threshold is `layer` or before: calls fn(threshold, layer, part,
  // interval), by threshold and layer.
  template <class Function>
  void each_share(const onset_curve& counts, const Function& fn) {
    for (std::size_t i = 0; i < density_thresholds.size(); ++i) {
      resampled_sum sum;
      for (std::int64_t layer = 0; layer <= n_layers_; ++layer) {
        sum.add(by_layer_[place(i, layer)]);
        const std::uint64_t part = counts.by_layer(density_thresholds[i], layer);
        fn(density_thresholds[i], layer, part,
           share_ends(part, counts.prompts(), sum, prompts_, clusters_.size()));
      }
    }
  }

  std::uint64_t clusters() { return clusters_.size(); }

  // The mean over all prompts of this at a threshold, less that of another, in each resample.
  resampled_values difference(const onset_intervals& other, std::uint64_t k) const {
    const std::vector<std::optional<double>> a = survival_at(k), b = other.survival_at(k);
    resampled_values out;
    for (std::size_t r = 0; r < n_resamples; ++r)
      if (a[r] && b[r]) out.add(*a[r] - *b[r]);
    return out;
  }
  std::uint64_t clusters_with(onset_intervals& other) { return clusters_.size_with(other.clusters_); }

 private:
  struct step {
    resampled_sum first, first_layers, stable, stable_layers;  // prompts, and sums of their layers
    void add(const step& other) {
      first.add(other.first), first_layers.add(other.first_layers);
      stable.add(other.stable), stable_layers.add(other.stable_layers);
    }
  };
  static constexpr auto nowhere = std::numeric_limits<std::uint32_t>::max();

  std::size_t place(std::size_t threshold, std::int64_t layer) const {
    return threshold * static_cast<std::size_t>(n_layers_ + 1) + static_cast<std::size_t>(layer);
  }
  // The first place of the grid with rank <= k.
  std::size_t from(std::uint64_t rank) const {
    return static_cast<std::size_t>(std::lower_bound(grid_.begin(), grid_.end(), rank) - grid_.begin());
  }

  // Both give the first place that has an onset, or `nowhere`.
  std::size_t add_first(const cluster_weights& of, std::span<const std::int64_t> layers,
                        std::span<const std::uint64_t> ranks) {
    std::size_t end = grid_.size();
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      const std::size_t begin = from(ranks[i]);
      if (begin >= end) continue;
      add_range(of, &step::first_layers, begin, end, layers[i]);
      end = begin;
    }
    if (end == grid_.size()) return nowhere;
    steps_[end].first.add(of);
    return end;
  }
  std::size_t add_stable(const cluster_weights& of, std::span<const std::int64_t> layers,
                         std::span<const std::uint64_t> ranks) {
    if (ranks.empty()) return nowhere;
    const std::size_t lowest = from(ranks.back());
    std::uint64_t most = 0;  // rank from here to the end
    std::size_t begin = lowest;
    for (std::size_t i = ranks.size(); i-- > 0;) {
      most = std::max(most, ranks[i]);
      begin = from(most);
      const std::size_t end = i == 0 ? grid_.size() : from(std::max(most, ranks[i - 1]));
      add_range(of, &step::stable_layers, begin, end, layers[i]);
    }
    if (lowest == grid_.size()) return nowhere;
    steps_[lowest].stable.add(of);
    return lowest;
  }
  void add_range(const cluster_weights& of, resampled_sum step::*sum, std::size_t begin, std::size_t end,
                 std::int64_t layer) {
    if (begin >= end) return;
    (steps_[begin].*sum).add(of, static_cast<std::uint32_t>(layer));
    if (end < grid_.size()) (steps_[end].*sum).subtract(of, static_cast<std::uint32_t>(layer));
  }

  double survival(const step& sum, std::size_t r) const {
    const std::uint64_t without = prompts_[r] - sum.first[r];
    const std::uint64_t layers = sum.first_layers[r] + without * static_cast<std::uint64_t>(n_layers_);
    return static_cast<double>(layers) / static_cast<double>(prompts_[r]);
  }
  resampled_values survival_of(const step& sum) const {
    resampled_values out;
    for (std::size_t r = 0; r < n_resamples; ++r)
      if (prompts_[r] != 0) out.add(survival(sum, r));
    return out;
  }
  std::vector<std::optional<double>> survival_at(std::uint64_t k) const {
    step sum;
    for (std::size_t g = 0; g < grid_.size() && grid_[g] <= k; ++g) sum.add(steps_[g]);
    std::vector<std::optional<double>> out(n_resamples);
    for (std::size_t r = 0; r < n_resamples; ++r)
      if (prompts_[r] != 0) out[r] = survival(sum, r);
    return out;
  }

  std::vector<std::uint64_t> grid_;
  std::int64_t n_layers_;
  std::vector<step> steps_;              // [grid]: what begins and ends there
  std::vector<resampled_sum> by_layer_;  // [threshold][layer]: prompts whose first onset is there
  resampled_sum prompts_;
  cluster_minima<2> clusters_;  // first places with a first and a stable onset
};

}  // namespace depthlens
