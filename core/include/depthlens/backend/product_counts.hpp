// SPDX-License-Identifier: Apache-2.0
// For backends that measure the rate of plain products (dlens_model.product_rate): how many of a model's
// products are made in a round, so that it is over in seconds for the largest model too.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace depthlens {

struct product_counts {
  std::size_t blocks, tiles;  // whose products are made
};

// In the proportion of n_layers blocks and n_tiles tiles of the unembedding, as far as whole numbers are, at
// least one of each. flops: of the products of all.
inline product_counts counts_of_round(std::size_t n_layers, std::size_t n_tiles, double flops) {
  constexpr double most = 5e11;
  const double share = std::min(1.0, most / flops);
  const auto of = [share](std::size_t n) {
    return std::max<std::size_t>(1, static_cast<std::size_t>(std::lround(share * static_cast<double>(n))));
  };
  return {of(n_layers), of(n_tiles)};
}

}  // namespace depthlens
