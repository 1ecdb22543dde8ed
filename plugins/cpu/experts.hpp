// SPDX-License-Identifier: Apache-2.0
// The experts of a block: what its router chooses for each row, and the chosen ones' weighted sum. Rows are
// gathered by expert, so that each one's weights are used once for all rows. A row's sum goes over its
// experts by number: it does not depend on the other rows.
#pragma once

#include "part_tools.hpp"

#include "depthlens/backend/checked_architecture.hpp"

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

class expert_part {
 public:
  // ready(e): called before expert e is used, whose weights are in memory when it returns.
  expert_part(const part_tools& tools, const block_weights& w, const block_shape& shape,
              std::function<void(std::size_t)> ready)
      : tools_(tools), w_(w), shape_(shape), e_(*shape.experts), ready_(std::move(ready)) {}

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
  std::function<void(std::size_t)> ready_;
};

}  // namespace depthlens::cpu
