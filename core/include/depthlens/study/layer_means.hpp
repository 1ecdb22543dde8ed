// SPDX-License-Identifier: Apache-2.0
// Mean and median rank, mean probability, entropy and KL of one category of prompts at one layer.
#pragma once

#include "depthlens/experiment.hpp"
#include "depthlens/study/exact_sum.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace depthlens {

// What a row says about a layer; measures that its table lacks are empty.
struct layer_measures {
  std::uint64_t rank = 0;
  std::optional<double> probability = {}, entropy = {}, kl = {};
};

class layer_means {
 public:
  void add(const layer_measures& m) {
    ranks_.add(m.rank);
    if (m.probability) probability_.add(*m.probability);
    if (m.entropy) entropy_.add(*m.entropy);
    if (m.kl) kl_.add(*m.kl);
  }
  std::uint64_t n() const noexcept { return ranks_.n(); }

  static std::vector<column> columns() {
    return {{"n", DLENS_I64, "prompts"},
            {"mean_rank", DLENS_F64, "rank of the target"},
            {"median_rank", DLENS_F64, "rank of the target"},
            {"mean_probability", DLENS_F64, "of the target"},
            {"mean_entropy", DLENS_F64, "nats"},
            {"mean_kl", DLENS_F64, "KL(final || layer), nats"}};
  }
  // In the order of columns(). Needs n() > 0.
  std::vector<dlens_value> values() {
    const auto of = [](const exact_sum& sum) {
      const std::optional<double> mean = sum.mean();
      return mean ? f64_value(*mean) : null_value();
    };
    return {i64_value(static_cast<std::int64_t>(n())),
            f64_value(ranks_.mean()),
            f64_value(ranks_.median()),
            of(probability_),
            of(entropy_),
            of(kl_)};
  }

 private:
  rank_counts ranks_;
  exact_sum probability_, entropy_, kl_;
};

}  // namespace depthlens
