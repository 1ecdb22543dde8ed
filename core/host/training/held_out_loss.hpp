// SPDX-License-Identifier: Apache-2.0
// How far the layers are from the output on a text that training does not see.
#pragma once

#include "training/backend_trainer.hpp"
#include "training/text_sequences.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace depthlens {

struct batch_form {
  std::size_t positions;         // of a batch, about
  std::uint32_t long_positions;  // of the model
};

// Mean KL over the positions of the text, in nats: of layers 0..n-1, and the unigram predictor's behind them.
// Nothing where a stop was asked for.
std::optional<std::vector<float>> mean_kl(backend_trainer& trainer, const token_sequences& text,
                                          const batch_form& batches, std::size_t n_layers);

}  // namespace depthlens
