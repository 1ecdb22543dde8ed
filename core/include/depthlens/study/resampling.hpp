// SPDX-License-Identifier: Apache-2.0
// Intervals by resampling clusters. What may be alike in several rows (the subject of a fact, a text from
// which prompts are cut) is a cluster, named by a key of 64 bits. In resample r a cluster counts w(key, r)
// times, w being Poisson with mean 1 (Hanley and MacGibbon, Computer Methods and Programs in Biomedicine 83
// (2006) 57). Nothing but the key and r goes into w: rows may come in any order, the same seed is in every
// run, and two means over the same clusters vary together, which is what a paired difference needs. Ends of
// an interval are expanded percentiles (Hesterberg, The American Statistician 69 (2015) 371), which hold for
// few clusters too.
#pragma once

#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace depthlens {

inline constexpr std::size_t n_resamples = 1000;
inline constexpr double interval_level = 0.95;

struct interval {
  double low, high;
};

namespace detail {

// floor(2^64 F(j)), F the distribution function of Poisson with mean 1: a number z below 2^64 stands for as
// many draws as thresholds are not above it.
inline constexpr std::array<std::uint64_t, 8> poisson_thresholds = {
    0x5E2D58D8B3BCDF1AULL, 0xBC5AB1B16779BE35ULL, 0xEB715E1DC1582DC2ULL, 0xFB23979734A252F1ULL,
    0xFF1025F59174DC3DULL, 0xFFD90F3BA4055E19ULL, 0xFFFA8B71FC72C913ULL, 0xFFFF540C0914B3C9ULL};

inline std::uint32_t poisson_draw(std::uint64_t key, std::uint64_t resample) noexcept {
  std::uint64_t z = key + (resample + 1) * 0x9E3779B97F4A7C15ULL;  // SplitMix64
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  z ^= z >> 31;
  std::uint32_t draws = 0;
  for (const std::uint64_t threshold : poisson_thresholds) draws += z >= threshold ? 1 : 0;
  return draws;
}

// Linear between the places of ascending values; 0 <= p <= 1.
inline double quantile(const std::vector<double>& sorted, double p) {
  const double place = p * static_cast<double>(sorted.size() - 1);
  const auto before = static_cast<std::size_t>(place);
  const std::size_t after = std::min(before + 1, sorted.size() - 1);
  return sorted[before] + (place - static_cast<double>(before)) * (sorted[after] - sorted[before]);
}

}  // namespace detail

// How often one cluster counts in each resample.
class cluster_weights {
 public:
  explicit cluster_weights(std::uint64_t key) noexcept : key_(key) {
    for (std::size_t r = 0; r < n_resamples; ++r) weights_[r] = detail::poisson_draw(key, r);
  }
  std::uint64_t key() const noexcept { return key_; }
  const std::array<std::uint32_t, n_resamples>& all() const noexcept { return weights_; }

 private:
  std::uint64_t key_;
  std::array<std::uint32_t, n_resamples> weights_;
};

// A sum of whole numbers in each resample, modulo 2^64, so that it does not depend on the order. Takes memory
// (8 KB) with its first number.
class resampled_sum {
 public:
  void add(const cluster_weights& of, std::uint32_t value = 1) {
    if (value == 0) return;
    if (sums_.empty()) sums_.resize(n_resamples);
    for (std::size_t r = 0; r < n_resamples; ++r) sums_[r] += static_cast<std::uint64_t>(of.all()[r]) * value;
  }
  void subtract(const cluster_weights& of, std::uint32_t value = 1) {
    if (value == 0) return;
    if (sums_.empty()) sums_.resize(n_resamples);
    for (std::size_t r = 0; r < n_resamples; ++r) sums_[r] -= static_cast<std::uint64_t>(of.all()[r]) * value;
  }
  void add(const resampled_sum& other) {
    if (other.sums_.empty()) return;
    if (sums_.empty()) sums_.resize(n_resamples);
    for (std::size_t r = 0; r < n_resamples; ++r) sums_[r] += other.sums_[r];
  }
  std::uint64_t operator[](std::size_t resample) const { return sums_.empty() ? 0 : sums_[resample]; }

 private:
  std::vector<std::uint64_t> sums_;
};

// A statistic in the resamples that have one. `above` counts those above 0, and half of those that are 0.
class resampled_values {
 public:
  void add(double value) { values_.push_back(value); }

  // Of `n_clusters` different clusters; nothing below two of them, or of values.
  std::optional<interval> ends(std::uint64_t n_clusters) {
    if (n_clusters < 2 || values_.size() < 2) return std::nullopt;
    std::sort(values_.begin(), values_.end());
    const auto n = static_cast<double>(n_clusters);
    const boost::math::students_t t(n - 1);
    const double wide = std::sqrt(n / (n - 1)) * boost::math::quantile(t, (1 - interval_level) / 2);
    const double tail = boost::math::cdf(boost::math::normal(), wide);
    return interval{detail::quantile(values_, tail), detail::quantile(values_, 1 - tail)};
  }
  std::optional<double> above_zero() const {
    if (values_.empty()) return std::nullopt;
    double above = 0;
    for (const double v : values_) above += v > 0 ? 1 : v == 0 ? 0.5 : 0;
    return above / static_cast<double>(values_.size());
  }

 private:
  std::vector<double> values_;
};

// Ratios of two sums; resamples without a denominator have none.
inline resampled_values ratios(const resampled_sum& above, const resampled_sum& below, double scale = 1) {
  resampled_values out;
  for (std::size_t r = 0; r < n_resamples; ++r)
    if (below[r] != 0) out.add(scale * static_cast<double>(above[r]) / static_cast<double>(below[r]));
  return out;
}

// Wilson's interval of a share, part of n that have nothing in common (Journal of the American Statistical
// Association 22 (1927) 209). n > 0.
inline interval wilson(std::uint64_t part, std::uint64_t n) {
  constexpr double z = 1.959963984540054;  // 97.5 % of a normal distribution lie below it
  const auto m = static_cast<double>(n);
  const double share = static_cast<double>(part) / m, middle = share + z * z / (2 * m);
  const double half = z * std::sqrt(share * (1 - share) / m + z * z / (4 * m * m)), all = 1 + z * z / m;
  return {part == 0 ? 0 : (middle - half) / all, part == n ? 1 : (middle + half) / all};
}

// Of a share, part of n rows of so many clusters, whose resampled sums are given. Wilson's where no two rows
// share a cluster; and, of clusters, where all rows are alike, for then so are all resamples.
inline std::optional<interval> share_ends(std::uint64_t part, std::uint64_t n, const resampled_sum& parts,
                                          const resampled_sum& rows, std::uint64_t clusters) {
  if (n == 0) return std::nullopt;
  if (clusters == n) return wilson(part, n);
  if (part == 0 || part == n) return wilson(part == 0 ? 0 : clusters, clusters);
  return ratios(parts, rows).ends(clusters);
}

}  // namespace depthlens
