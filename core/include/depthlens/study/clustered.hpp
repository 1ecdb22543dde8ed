// SPDX-License-Identifier: Apache-2.0
// Means and shares over rows with their intervals, and the columns that these are in tables.
#pragma once

#include "depthlens/experiment.hpp"
#include "depthlens/study/clusters.hpp"
#include "depthlens/study/exact_sum.hpp"
#include "depthlens/study/resampling.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// Values as whole numbers of 32 bits, so that sums of them are exact: in steps of 2^-bits, the largest for
// what is above it, 0 below 0 and for what is no number.
inline std::uint32_t in_steps(double value, int bits) noexcept {
  constexpr double most = std::numeric_limits<std::uint32_t>::max();
  const double steps = std::nearbyint(std::ldexp(value, bits));
  return steps > 0 ? static_cast<std::uint32_t>(std::min(steps, most)) : 0;
}
inline constexpr int probability_bits = 32, nat_bits = 20;  // 0..1, and 0..4095 nats

// low and high of an interval, empty where there is none.
inline std::vector<column> interval_columns(std::string_view of, std::string_view what = "95 % interval") {
  const std::string before = of.empty() ? "" : std::string(of) + "_";
  return {{before + "low", DLENS_F64, cat("lower end of the ", what, ", see share/doc/intervals.md")},
          {before + "high", DLENS_F64, "upper end"}};
}
inline column clusters_column(std::string_view what = "clusters behind the intervals") {
  return {"n_clusters", DLENS_I64, std::string(what)};
}
inline void append_interval(std::vector<dlens_value>& to, const std::optional<interval>& ends) {
  to.push_back(ends ? f64_value(ends->low) : null_value());
  to.push_back(ends ? f64_value(ends->high) : null_value());
}

// Rows, and how many they are in each resample: what several means and shares are taken over.
class clustered_rows {
 public:
  void add(const cluster_weights& of) {
    ++n_;
    weights_.add(of);
  }
  std::uint64_t n() const noexcept { return n_; }
  const resampled_sum& weights() const noexcept { return weights_; }

 private:
  std::uint64_t n_ = 0;
  resampled_sum weights_;
};

// A share of rows, which are of so many different clusters.
class clustered_share {
 public:
  void add(const cluster_weights& of, bool is_part = true) {
    if (!is_part) return;
    ++part_;
    weights_.add(of);
  }
  std::uint64_t part() const noexcept { return part_; }
  std::optional<double> of(const clustered_rows& rows) const {
    if (rows.n() == 0) return std::nullopt;
    return static_cast<double>(part_) / static_cast<double>(rows.n());
  }
  std::optional<interval> ends(const clustered_rows& rows, std::uint64_t clusters) const {
    return share_ends(part_, rows.n(), weights_, rows.weights(), clusters);
  }

 private:
  std::uint64_t part_ = 0;
  resampled_sum weights_;
};

// A mean of values that are not negative.
class clustered_mean {
 public:
  explicit clustered_mean(int bits = probability_bits) : bits_(bits) {}

  void add(const cluster_weights& of, double value) {
    exact_.add(value);
    weighted_.add(of, in_steps(value, bits_));
  }
  std::uint64_t n() const noexcept { return exact_.n(); }
  std::optional<double> mean() const { return exact_.mean(); }
  // rows: those that have the value.
  std::optional<interval> ends(const clustered_rows& rows, std::uint64_t clusters) const {
    if (!mean()) return std::nullopt;
    return ratios(weighted_, rows.weights(), std::ldexp(1, -bits_)).ends(clusters);
  }

 private:
  int bits_;
  exact_sum exact_;
  resampled_sum weighted_;
};

}  // namespace depthlens
