// SPDX-License-Identifier: Apache-2.0
// The Kullback-Leibler divergence of what two models say, each by the logit lens on a state of its own, over
// the whole vocabulary and in double.
#pragma once

#include "model/readout_reference.hpp"

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

namespace depthlens {

// In nats; NaN where a state or a logit is not finite.
struct divergence {
  double forward = 0;  // KL(model || other)
  double reverse = 0;  // KL(other || model)
};

// states: (R) of D float32 of the model, others: (R) of the other model's; both models have n_tokens tokens.
// The unembeddings are read once for all rows. Where `stop` is set it ends soon, with numbers that mean
// nothing. Any thread.
std::vector<divergence> divergences(const readout_reference& model,
                                    std::span<const std::span<const float>> states,
                                    const readout_reference& other,
                                    std::span<const std::span<const float>> others, std::uint32_t n_tokens,
                                    const std::atomic<bool>& stop);

}  // namespace depthlens
