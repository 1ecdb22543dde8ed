// SPDX-License-Identifier: Apache-2.0
// Experts: what the router of a block chooses for each token, and the weighted sum of theirs. Each expert
// works once for all tokens of a pack that go to it.
#pragma once

#include "block_work.hpp"

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace depthlens::torch_backend {

struct chosen_experts {
  at::Tensor ids;      // (rows, n_used) int64
  at::Tensor weights;  // (rows, n_used) float32
};

// score (rows, E) float32 as the router gives them; correction, scale (E), undefined = none. Of equal scores
// the expert with the smaller number is taken.
chosen_experts choose_experts(const dlens_experts& e, const at::Tensor& score, const at::Tensor& correction,
                              const at::Tensor& scale);

// Which rows go to which expert, expert by expert and within one in order.
struct expert_order {
  std::vector<std::int64_t> begin;               // (E + 1) of each expert's places
  std::vector<std::int64_t> row;                 // (rows * n_used) of each place
  std::vector<std::int64_t> slot;                // the same: row * n_used + number of the choice
  std::vector<std::vector<std::int64_t>> place;  // (n_used) of (rows): each row's places, ascending
};

// ids (rows, n_used) row-major.
expert_order order_by_expert(const std::vector<std::int64_t>& ids, std::int64_t n_used,
                             std::int64_t n_experts);

// As channel_output: of the experts and the shared one alone.
at::Tensor experts_output(const block_work& work, const at::Tensor& h, const at::Tensor& x);

}  // namespace depthlens::torch_backend
