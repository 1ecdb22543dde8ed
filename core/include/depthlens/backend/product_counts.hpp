// SPDX-License-Identifier: Apache-2.0
// For backends that measure the rate of plain products (dlens_model.product_rate): how many of a model's
// products are made for one timing, so that it is over in seconds for the largest model too, and of what
// width, so that it takes little memory beside the model.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <set>
#include <utility>
#include <vector>

namespace depthlens {

struct product_counts {
  std::size_t blocks, tiles;  // whose products are made
};

// In the proportion of n_layers blocks and n_tiles tiles of the unembedding, as far as whole numbers are, at
// least one of each. flops: of the products of all.
inline product_counts counts_of_timing(std::size_t n_layers, std::size_t n_tiles, double flops) {
  constexpr double most = 5e11;
  const double share = std::min(1.0, most / flops);
  const auto of = [share](std::size_t n) {
    return std::max<std::size_t>(1, static_cast<std::size_t>(std::lround(share * static_cast<double>(n))));
  };
  return {of(n_layers), of(n_tiles)};
}

// Narrows all products by the same factor (outputs in steps of 64, so that kernels do not notice), until the
// weights of the different ones are no more than that, about: more than processors cache, as those of a model
// are. Shape: {inputs, outputs}.
template <class Shape>
void narrow_products(std::vector<Shape>& shapes, std::size_t most_weights) {
  std::set<std::pair<std::size_t, std::size_t>> different;
  for (const Shape& s : shapes) different.emplace(s.inputs, s.outputs);
  std::size_t weights = 0;
  for (const auto& [inputs, outputs] : different) weights += inputs * outputs;
  if (weights <= most_weights) return;
  const double share = static_cast<double>(most_weights) / static_cast<double>(weights);
  constexpr std::size_t step = 64;
  for (Shape& s : shapes) {
    const double wished = share * static_cast<double>(s.outputs) / step;
    const auto steps = std::max<std::size_t>(1, static_cast<std::size_t>(std::lround(wished)));
    s.outputs = static_cast<decltype(s.outputs)>(std::min<std::size_t>(s.outputs, steps * step));
  }
}

// Weights that are made to measure with, at most about.
constexpr std::size_t most_rate_weights = 16u << 20;

}  // namespace depthlens
