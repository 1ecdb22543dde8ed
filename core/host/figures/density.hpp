// SPDX-License-Identifier: Apache-2.0
// Gaussian kernel density of one-dimensional values, as scipy.stats.gaussian_kde computes it by default:
// bandwidth = n^(-1/5) (Scott) times the sample standard deviation (ddof 1). Values come with how often they
// occur: layers are few, prompts are many.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

namespace depthlens {

struct counted_value {
  double value;  // finite
  double count;  // a whole number from 1 to 2^53
};

class kernel_density {
 public:
  // Each value once, in any order. A density exists where there are two or more.
  explicit kernel_density(std::vector<counted_value> values) : values_(std::move(values)) {
    std::sort(values_.begin(), values_.end(),
              [](const counted_value& a, const counted_value& b) { return a.value < b.value; });
    for (const counted_value& v : values_) n_ += v.count;
    if (values_.size() < 2) return;
    double mean = 0, squares = 0;
    for (const counted_value& v : values_) mean += v.count * (v.value / n_);
    for (const counted_value& v : values_) squares += v.count * (v.value - mean) * (v.value - mean);
    bandwidth_ = std::pow(n_, -0.2) * std::sqrt(squares / (n_ - 1));
  }

  double count() const noexcept { return n_; }
  // False also where the values are too close for a double to tell, or too far apart.
  bool exists() const noexcept { return bandwidth_ > 0 && std::isfinite(bandwidth_); }
  double bandwidth() const noexcept { return bandwidth_; }
  double smallest() const noexcept { return values_.front().value; }
  double largest() const noexcept { return values_.back().value; }

  // The density at x; only where exists().
  double at(double x) const noexcept {
    double sum = 0;
    for (const counted_value& v : values_) {
      const double z = (x - v.value) / bandwidth_;
      sum += v.count * std::exp(-0.5 * z * z);
    }
    return sum / (n_ * bandwidth_ * std::sqrt(2 * std::numbers::pi));
  }

 private:
  std::vector<counted_value> values_;  // ascending
  double n_ = 0;                       // whole
  double bandwidth_ = 0;
};

}  // namespace depthlens
