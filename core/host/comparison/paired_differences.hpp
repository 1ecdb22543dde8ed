// SPDX-License-Identifier: Apache-2.0
// Differences of two runs over the rows that both have: of the mean of each measure, and how often they guess
// otherwise, with intervals by resampling clusters of prompts (study/resampling.hpp).
#pragma once

#include "comparison/compared_run.hpp"
#include "comparison/paired_tables.hpp"
#include "depthlens/study/resampling.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace depthlens {

// A line of differences.csv.
struct paired_difference {
  std::string measure;
  std::optional<std::uint32_t> layer;  // none: of the model's output
  double difference = 0;               // mean of the run less that of the other; a share where guesses differ
  std::optional<interval> ends;
  std::optional<double> above_zero;  // share of the resamples in which it is positive; not of shares
  std::uint64_t n = 0, n_clusters = 0;
};

struct paired_rows {
  std::vector<paired_difference> differences;  // by measure and layer
  std::uint64_t joined = 0;                    // rows that both have
  std::uint64_t of_run_alone = 0, of_other_alone = 0;
  std::string not_paired;  // why there are no differences; "" = there are
};

// Reads both tables once, in step. Rows are the same by prompt, position, what else tells rows of a prompt
// apart, and layer; of models with different numbers of blocks only the outputs are compared. Throws
// status::data for a table that is broken, and stopped where that is asked for.
paired_rows pair_rows(const compared_run& run, const compared_run& other, const paired_table& tables);

}  // namespace depthlens
