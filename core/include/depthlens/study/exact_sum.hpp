// SPDX-License-Identifier: Apache-2.0
// Sums and medians that do not depend on the order in which values come, so that tables are equal to the last
// digit for shuffled, extended and continued runs.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace depthlens {

// A sum in fixed point with steps of 2^-60; for values up to 2^60 in size. One infinite or undefined value
// makes the mean undefined.
class exact_sum {
 public:
  void add(double x) {
    ++n_;
    if (!(std::abs(x) <= 0x1p60)) {
      broken_ = true;
      return;
    }
    const double whole = std::trunc(x);
    total_ += (static_cast<wide>(whole) << 60) + static_cast<wide>(std::nearbyint((x - whole) * 0x1p60));
  }
  std::uint64_t n() const noexcept { return n_; }
  std::optional<double> mean() const {
    if (n_ == 0 || broken_) return std::nullopt;
    return static_cast<double>(static_cast<long double>(total_) / static_cast<long double>(n_) * 0x1p-60L);
  }

 private:
  __extension__ using wide = __int128;
  wide total_ = 0;
  std::uint64_t n_ = 0;
  bool broken_ = false;
};

// Counts of ranks. Memory grows with the number of different ranks (at most the vocabulary), not with the
// run.
class rank_counts {
 public:
  void add(std::uint64_t rank) {
    sum_ += rank;
    ++n_;
    fresh_.push_back(rank);
    if (fresh_.size() >= std::max<std::size_t>(1024, counts_.size())) merge();
  }
  std::uint64_t n() const noexcept { return n_; }
  double mean() const { return static_cast<double>(sum_) / static_cast<double>(n_); }
  // The middle value; of two middle values their mean. NaN where there are none.
  double median() {
    merge();
    if (n_ == 0) return std::numeric_limits<double>::quiet_NaN();
    return (static_cast<double>(at((n_ - 1) / 2)) + static_cast<double>(at(n_ / 2))) / 2;
  }
  // The value below which a share p of them lies, 0 <= p <= 1; between two values linear. NaN where there are
  // none.
  double quantile(double p) {
    merge();
    if (n_ == 0) return std::numeric_limits<double>::quiet_NaN();
    const double place = p * static_cast<double>(n_ - 1);
    const auto before = static_cast<std::uint64_t>(place);
    const auto low = static_cast<double>(at(before));
    const auto high = static_cast<double>(at(std::min(before + 1, n_ - 1)));
    return low + (place - static_cast<double>(before)) * (high - low);
  }

 private:
  using count = std::pair<std::uint64_t, std::uint64_t>;  // rank, how often

  std::uint64_t at(std::uint64_t place) const {
    for (const auto& [rank, n] : counts_) {
      if (place < n) return rank;
      place -= n;
    }
    return 0;
  }
  void merge() {
    std::vector<count> all = std::move(counts_);
    for (const std::uint64_t rank : fresh_) all.emplace_back(rank, 1);
    fresh_.clear();
    std::sort(all.begin(), all.end());
    counts_.clear();
    for (const auto& [rank, n] : all) {
      if (counts_.empty() || counts_.back().first != rank)
        counts_.emplace_back(rank, n);
      else
        counts_.back().second += n;
    }
  }

  std::vector<count> counts_;         // ascending
  std::vector<std::uint64_t> fresh_;  // not yet counted
  std::uint64_t n_ = 0, sum_ = 0;
};

}  // namespace depthlens
