// SPDX-License-Identifier: Apache-2.0
// The depth at which a target becomes readable: for each threshold k the first layer with rank <= k, and the
// stable onset, the first layer from which rank <= k holds to the end. One curve is one category of prompts;
// it holds a count for each (k, layer), whatever the number of prompts.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace depthlens {

// Thresholds of the density figures.
inline constexpr std::array<std::uint64_t, 6> density_thresholds = {1, 5, 50, 100, 500, 1000};

// The published grid for facts: int(10^(4 j / 199)), j = 0..199, distinct: 154 values from 1 to 10,000.
inline std::vector<std::uint64_t> facts_k_grid() {
  std::vector<std::uint64_t> grid;
  for (int j = 0; j < 200; ++j) grid.push_back(static_cast<std::uint64_t>(std::pow(10.0, 4.0 * j / 199.0)));
  grid.erase(std::unique(grid.begin(), grid.end()), grid.end());
  return grid;
}

// The published grid for parts of speech: 200 steps from log10(1) to log10(10001), truncated, distinct: 154
// values.
inline std::vector<std::uint64_t> pos_k_grid() {
  std::vector<std::uint64_t> grid;
  const double step = std::log10(10001.0) / 199.0;
  for (int j = 0; j < 200; ++j)
    grid.push_back(std::min<std::uint64_t>(10000, static_cast<std::uint64_t>(std::pow(10.0, j * step))));
  grid.erase(std::unique(grid.begin(), grid.end()), grid.end());
  return grid;
}

// The grid of default mode: the facts grid and the round numbers of the density figures.
inline std::vector<std::uint64_t> default_k_grid() {
  std::vector<std::uint64_t> grid = facts_k_grid();
  grid.insert(grid.end(), density_thresholds.begin(), density_thresholds.end());
  std::sort(grid.begin(), grid.end());
  grid.erase(std::unique(grid.begin(), grid.end()), grid.end());
  return grid;
}

// The first layer with rank <= k; ranks (L) belong to layers (L), ascending. Nothing where there is none.
inline std::optional<std::int64_t> first_onset(std::span<const std::int64_t> layers,
                                               std::span<const std::uint64_t> ranks, std::uint64_t k) {
  for (std::size_t i = 0; i < ranks.size(); ++i)
    if (ranks[i] <= k) return layers[i];
  return std::nullopt;
}

// The first layer from which rank <= k holds to the last; nothing where the last has a larger rank.
inline std::optional<std::int64_t> stable_onset(std::span<const std::int64_t> layers,
                                                std::span<const std::uint64_t> ranks, std::uint64_t k) {
  std::size_t i = ranks.size();
  while (i > 0 && ranks[i - 1] <= k) --i;
  if (i == ranks.size()) return std::nullopt;
  return layers[i];
}

class onset_curve {
 public:
  // Layers 0..n_layers; k ascending.
  onset_curve(std::vector<std::uint64_t> grid, std::uint32_t n_layers)
      : grid_(std::move(grid)),
        n_layers_(n_layers),
        first_(grid_.size() * (n_layers + 1)),
        stable_(first_.size()) {}

  // One prompt: ranks (L) at layers (L), ascending, within 0..n_layers.
  void add(std::span<const std::int64_t> layers, std::span<const std::uint64_t> ranks) {
    ++prompts_;
    for (std::size_t g = 0; g < grid_.size(); ++g) {
      if (const auto layer = first_onset(layers, ranks, grid_[g])) ++first_[place(g, *layer)];
      if (const auto layer = stable_onset(layers, ranks, grid_[g])) ++stable_[place(g, *layer)];
    }
  }

  struct point {
    std::uint64_t k = 0;
    std::uint64_t n = 0, never = 0;  // prompts with and without a first onset
    std::uint64_t n_stable = 0;      // prompts with a stable one
    // Over those prompts; nothing where there are none.
    std::optional<double> mean_first = {}, std_first = {}, median_first = {}, mean_stable = {};
    // Over all prompts: those that never get there are censored at the last layer, the same for all, so that
    // the Kaplan-Meier estimate is the share of them. The mean is up to that layer; no median where half of
    // the prompts or more never get there.
    std::optional<double> survival_mean = {}, survival_median = {};
  };
  std::uint64_t prompts() const noexcept { return prompts_; }
  std::size_t size() const noexcept { return grid_.size(); }
  // At a k of the grid: the point, and the prompts whose first onset is `layer` or before.
  point at_k(std::uint64_t k) const { return at(place_of(k)); }
  std::uint64_t by_layer(std::uint64_t k, std::int64_t layer) const {
    std::uint64_t n = 0;
    for (std::int64_t l = 0; l <= layer; ++l) n += first_[place(place_of(k), l)];
    return n;
  }
  point at(std::size_t g) const {
    const moments first = moments_of(first_, g), stable = moments_of(stable_, g);
    point out{.k = grid_[g],
              .n = first.n,
              .never = prompts_ - first.n,
              .n_stable = stable.n,
              .mean_stable = stable.mean()};
    if (prompts_ > 0)
      out.survival_mean = static_cast<double>(first.sum + out.never * static_cast<std::uint64_t>(n_layers_)) /
                          static_cast<double>(prompts_);
    if (first.n == 0) return out;
    if (2 * first.n > prompts_)
      out.survival_median = (layer_of(g, (prompts_ - 1) / 2) + layer_of(g, prompts_ / 2)) / 2;
    out.mean_first = first.mean();
    // Of whole numbers, so the numerator is exact. Population standard deviation.
    const double n = static_cast<double>(first.n);
    out.std_first = std::sqrt(static_cast<double>(first.n * first.squares - first.sum * first.sum)) / n;
    out.median_first = (layer_of(g, (first.n - 1) / 2) + layer_of(g, first.n / 2)) / 2;
    return out;
  }

 private:
  struct moments {
    std::uint64_t n = 0, sum = 0, squares = 0;
    std::optional<double> mean() const {
      if (n == 0) return std::nullopt;
      return static_cast<double>(sum) / static_cast<double>(n);
    }
  };
  std::size_t place_of(std::uint64_t k) const {
    return static_cast<std::size_t>(std::lower_bound(grid_.begin(), grid_.end(), k) - grid_.begin());
  }
  std::size_t place(std::size_t g, std::int64_t layer) const {
    return g * (n_layers_ + 1) + static_cast<std::size_t>(std::clamp<std::int64_t>(layer, 0, n_layers_));
  }
  moments moments_of(const std::vector<std::uint64_t>& counts, std::size_t g) const {
    moments m;
    for (std::uint64_t layer = 0; layer <= static_cast<std::uint64_t>(n_layers_); ++layer) {
      const std::uint64_t n = counts[place(g, static_cast<std::int64_t>(layer))];
      m.n += n, m.sum += n * layer, m.squares += n * layer * layer;
    }
    return m;
  }
  // The layer of the prompt at a place of the ascending first onsets.
  double layer_of(std::size_t g, std::uint64_t place_wanted) const {
    std::int64_t layer = 0;
    for (; layer < n_layers_; ++layer) {
      const std::uint64_t n = first_[place(g, layer)];
      if (place_wanted < n) break;
      place_wanted -= n;
    }
    return static_cast<double>(layer);
  }

  std::vector<std::uint64_t> grid_;
  std::int64_t n_layers_;
  std::vector<std::uint64_t> first_, stable_;  // [grid][layer]
  std::uint64_t prompts_ = 0;
};

}  // namespace depthlens
