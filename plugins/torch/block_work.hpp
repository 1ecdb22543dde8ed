// SPDX-License-Identifier: Apache-2.0
// What the parts of a block work with (heads.hpp, delta_rule.hpp, channel.hpp).
#pragma once

#include "attention.hpp"
#include "weights.hpp"

#include "depthlens/backend/checked_architecture.hpp"
#include "depthlens/backend/work_counters.hpp"

#include <ATen/ATen.h>

#include <functional>

namespace depthlens::torch_backend {

struct block_work {
  const block_shape& shape;
  const block_weights& weights;
  at::ScalarType type;  // of products; all else is float32
  product_counter& products;
  // Gets what was chosen of each row made: ids, weights (rows, n_used), the router's logits (rows, E); empty
  // = nobody asks.
  std::function<void(const at::Tensor& ids, const at::Tensor& weights, const at::Tensor& logits)> chose = {};

  at::Tensor multiply(const linear& map, const at::Tensor& x) const { return map.apply(x, &products); }
};

// The tokens whose rows a block makes, of the T that enter it.
struct made_rows {
  at::Tensor tokens;  // indices in tree order, undefined = all
  tree_attention attention;

  // Their rows of a tensor with one for each token.
  at::Tensor of(const at::Tensor& rows) const {
    return tokens.defined() ? rows.index_select(0, tokens) : rows;
  }
};

}  // namespace depthlens::torch_backend
