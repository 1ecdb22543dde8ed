// SPDX-License-Identifier: Apache-2.0
// How close a lens comes to the model's output at each layer, over the tokens of a text: KL from the final
// output, cross-entropy of the text and agreement of the top-1, with intervals from a bootstrap over its
// parts.
#pragma once

#include "engine/evaluator.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace depthlens {

// Mean over all positions and the middle 95 % of its bootstrap; nothing where there is one part, which says
// nothing of how parts differ.
struct interval {
  double mean = 0;
  std::optional<double> low = {}, high = {};
};

struct layer_score {
  std::int32_t layer = 0;
  std::uint64_t positions = 0;
  interval kl;         // KL(final || layer), nats
  interval bits;       // of the text's next token
  interval agreement;  // share of positions whose top-1 is that of the final output
};

// Sums of one part of the text, for each layer of a lens.
struct part_sums {
  std::uint64_t positions = 0;
  std::vector<std::array<double, 3>> sums;  // (L) KL, bits, agreement
};

// Parts are drawn with replacement, `draws` times, by a generator of a fixed seed: the same parts give the
// same intervals. Needs a part with positions.
std::vector<layer_score> score_layers(const std::vector<std::int32_t>& layers,
                                      const std::vector<part_sums>& parts, unsigned draws = 1000);

}  // namespace depthlens
