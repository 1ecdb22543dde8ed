// SPDX-License-Identifier: Apache-2.0
// Mean rank, its median and quartiles, mean probability, entropy and KL of one category of prompts at one
// layer, the means with their intervals.
#pragma once

#include "depthlens/experiment.hpp"
#include "depthlens/study/clustered.hpp"
#include "depthlens/study/exact_sum.hpp"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace depthlens {

// What a row says about a layer; measures that its table lacks are empty.
struct layer_measures {
  std::uint64_t rank = 0;
  std::optional<double> probability = {}, entropy = {}, kl = {};
};

class layer_means {
 public:
  void add(const cluster_weights& of, const layer_measures& m) {
    rows_.add(of);
    ranks_.add(m.rank);
    mean_ranks_.add(of, static_cast<double>(m.rank));
    if (m.probability) probability_.add(of, *m.probability);
    if (m.entropy) entropy_.add(of, *m.entropy);
    if (m.kl) kl_.add(of, *m.kl);
  }
  std::uint64_t n() const noexcept { return ranks_.n(); }

  static std::vector<column> columns() {
    std::vector<column> out = {{"n", DLENS_I64, "prompts"},
                               {"mean_rank", DLENS_F64, "rank of the target"},
                               {"median_rank", DLENS_F64, "rank of the target"},
                               {"mean_probability", DLENS_F64, "of the target"},
                               {"mean_entropy", DLENS_F64, "nats"},
                               {"mean_kl", DLENS_F64, "KL(final || layer), nats"},
                               {"lower_quartile_rank", DLENS_F64, "a quarter of the ranks are below it"},
                               {"upper_quartile_rank", DLENS_F64, "a quarter of the ranks are above it"}};
    for (const char* const mean : {"mean_rank", "mean_probability", "mean_entropy", "mean_kl"})
      for (column& c : interval_columns(mean)) out.push_back(std::move(c));
    out.push_back(clusters_column());
    return out;
  }
  // In the order of columns(). Needs n() > 0.
  std::vector<dlens_value> values(std::uint64_t n_clusters) {
    const auto of = [](const clustered_mean& mean) {
      return mean.mean() ? f64_value(*mean.mean()) : null_value();
    };
    std::vector<dlens_value> out = {i64_value(static_cast<std::int64_t>(n())),
                                    f64_value(ranks_.mean()),
                                    f64_value(ranks_.median()),
                                    of(probability_),
                                    of(entropy_),
                                    of(kl_),
                                    f64_value(ranks_.quantile(0.25)),
                                    f64_value(ranks_.quantile(0.75))};
    for (clustered_mean* const mean : {&mean_ranks_, &probability_, &entropy_, &kl_})
      append_interval(out, mean->ends(rows_, n_clusters));
    out.push_back(i64_value(static_cast<std::int64_t>(n_clusters)));
    return out;
  }

 private:
  clustered_rows rows_;
  rank_counts ranks_;
  clustered_mean mean_ranks_{0}, probability_{probability_bits}, entropy_{nat_bits}, kl_{nat_bits};
};

}  // namespace depthlens
