// SPDX-License-Identifier: Apache-2.0
// The experts of a block: what its router chooses for each row, and the chosen ones' weighted sum. Rows are
// gathered by expert, so that each one's weights are used once for all rows. A row's sum goes over its
// experts by number: it does not depend on the other rows.
#pragma once

#include "part_tools.hpp"

#include "depthlens/backend/checked_architecture.hpp"
#include "depthlens/backend/routing.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace depthlens::cpu {

struct row_of_expert {
  std::uint32_t row;
  float weight;
};

// (E) the rows of each expert, ascending.
using routed_rows = std::vector<std::vector<row_of_expert>>;

// What its user has to do with experts.
struct expert_hooks {
  // Called before expert e is used, whose weights are in memory when it returns.
  std::function<void(std::size_t e)> ready;
  // Gets what was chosen for each row, and the router's logits (E); empty = nobody asks.
  std::function<void(std::size_t row, const chosen_experts&, const float* logits)> chose;
};

class expert_part {
 public:
  expert_part(const part_tools& tools, const block_weights& w, const block_shape& shape, expert_hooks hooks)
      : tools_(tools), w_(w), shape_(shape), e_(*shape.experts), hooks_(std::move(hooks)) {}

  // h (rows, D): what enters the channel part, x (rows, D): its norm as products take it. out (rows, D) is
  // overwritten, with the shared expert's values added.
  void run(const float_rows& h, const input_rows& x, const float_rows& out) const;

 private:
  routed_rows route(const float_rows& h, const input_rows& x) const;
  void choose(const float* logits, std::uint32_t row, routed_rows& out) const;
  void add_expert(std::size_t number, const std::vector<row_of_expert>& rows, const float_rows& h,
                  const input_rows& x, const float_rows& out) const;
  input_rows gather(const row_of_expert* rows, std::size_t n, const float_rows& h, const input_rows& x) const;
  void add_shared(const input_rows& x, const float_rows& out) const;

  const part_tools& tools_;
  const block_weights& w_;
  const block_shape& shape_;
  const dlens_experts& e_;
  expert_hooks hooks_;
};

}  // namespace depthlens::cpu
