// SPDX-License-Identifier: Apache-2.0
// Gaussian kernel density of one-dimensional values, as scipy.stats.gaussian_kde computes it by default:
// bandwidth = n^(-1/5) (Scott) times the sample standard deviation (ddof 1). Values that occur often (layers
// do) are summed once.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

namespace depthlens {

class kernel_density {
 public:
  // `values` are finite. A density exists for two values or more of which two differ.
  explicit kernel_density(std::vector<double> values) : n_(values.size()) {
    std::sort(values.begin(), values.end());
    for (const double value : values) {
      if (values_.empty() || values_.back().value != value) values_.push_back({value, 0});
      values_.back().weight += 1;
    }
    if (values_.size() < 2) return;
    const double n = static_cast<double>(n_);
    double mean = 0, squares = 0;
    for (const weighted& v : values_) mean += v.weight * (v.value / n);
    for (const weighted& v : values_) squares += v.weight * (v.value - mean) * (v.value - mean);
    bandwidth_ = std::pow(n, -0.2) * std::sqrt(squares / (n - 1));
  }

  std::size_t count() const noexcept { return n_; }
  // False also where the values are too close for a double to tell, or too far apart.
  bool exists() const noexcept { return bandwidth_ > 0 && std::isfinite(bandwidth_); }
  double bandwidth() const noexcept { return bandwidth_; }
  double smallest() const noexcept { return values_.front().value; }
  double largest() const noexcept { return values_.back().value; }

  // The density at x; only where exists().
  double at(double x) const noexcept {
    double sum = 0;
    for (const weighted& v : values_) {
      const double z = (x - v.value) / bandwidth_;
      sum += v.weight * std::exp(-0.5 * z * z);
    }
    return sum / (static_cast<double>(n_) * bandwidth_ * std::sqrt(2 * std::numbers::pi));
  }

 private:
  struct weighted {
    double value, weight;
  };
  std::size_t n_;
  std::vector<weighted> values_;  // ascending, distinct
  double bandwidth_ = 0;
};

}  // namespace depthlens
