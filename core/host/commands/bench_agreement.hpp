// SPDX-License-Identifier: Apache-2.0
// How close the readings of one precision are to those of another, layer by layer: for `depthlens bench
// --against`. Both are asked about the token that the other precision has first at its output.
#pragma once

#include "commands/bench_work.hpp"
#include "model/opened_lens.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace depthlens {

// Over all positions read, at one layer of one lens.
struct layer_agreement {
  std::string lens;  // its label
  std::int32_t layer = 0;
  std::uint64_t positions = 0;
  std::uint64_t same_top = 0;               // the same token first
  std::uint64_t near_rank = 0;              // ranks of the token asked about differ by at most 1 %
  double error_sum = 0, largest_error = 0;  // |p - p of the other precision| of that token

  double share(std::uint64_t n) const { return static_cast<double>(n) / static_cast<double>(positions); }
  double mean_error() const { return error_sum / static_cast<double>(positions); }
};

// lenses: those of both models, in their order.
std::vector<layer_agreement> measure_agreement(const opened_model& model, const running_model& of,
                                               const running_model& against,
                                               const std::vector<opened_lens>& lenses,
                                               const bench_prompts& prompts, const bench_plan& plan);

}  // namespace depthlens
