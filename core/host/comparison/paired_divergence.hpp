// SPDX-License-Identifier: Apache-2.0
// How far apart two models' distributions are at each layer, over the places of which both runs kept states:
// means of KL with intervals by resampling clusters of prompts (study/resampling.hpp).
#pragma once

#include "comparison/compared_run.hpp"
#include "depthlens/model/model_files.hpp"
#include "depthlens/study/resampling.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace depthlens {

struct mean_divergence {
  std::optional<double> mean;  // nats
  std::optional<interval> ends;
};

struct layer_divergence {
  std::uint32_t layer = 0;
  mean_divergence forward, reverse;  // KL(run || other), KL(other || run)
  std::uint64_t n = 0, n_clusters = 0;
};

struct paired_divergence {
  std::vector<layer_divergence> layers;   // that both kept, ascending
  std::uint64_t joined = 0, prompts = 0;  // places of which both have states, and of how many prompts
  std::uint64_t of_run_alone = 0, of_other_alone = 0;
  std::uint64_t not_finite = 0;  // readings that are left out
  std::string not_paired;        // why there are no layers; "" = there are
};

struct run_with_model {
  const compared_run& run;
  const model_files& model;
};

// Places are those of joined_states.hpp. All threads
// work; the result does not depend on them. Throws status::no_input where a run kept no states of the study,
// data for broken files, and stopped where that is asked for.
paired_divergence pair_states(const run_with_model& run, const run_with_model& other,
                              const std::string& study);

}  // namespace depthlens
