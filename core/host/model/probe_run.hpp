// SPDX-License-Identifier: Apache-2.0
// One token through a backend, read with the logit lens at the first and last layer and with states made up
// here in place of the model's own; and tokens behind it, whose states alone are wanted. What the readings
// should be is self_check.hpp's.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/model/model_files.hpp"

#include <cstdint>
#include <vector>

namespace depthlens {

// A state that is read in place of the model's own, or none: then the model's own.
struct probe {
  std::vector<float> state;                   // (D), or empty
  std::vector<std::int32_t> layers;           // (L) where it is read, ascending
  std::vector<float> logprob;                 // (K, L)
  std::vector<std::uint32_t> final_top_rank;  // (L) of the model's own first token
  std::vector<std::int32_t> top;              // (L)
  std::vector<float> kl;                      // (L)
};

struct probe_readings {
  std::vector<std::int32_t> targets;  // (K) spread over the vocabulary
  std::int32_t final_top = -1;
  // One direction in three sizes (root mean square 1, 100, 1000), and a state along the unembedding of a
  // target, whose logit is then about as large as any; each at the first, middle and last layer.
  probe noise_1, noise_100, noise_1000, aligned;
  probe own;  // the model's own state, at layers 0 and n
};

struct probe_request {
  std::vector<std::int32_t> ids;  // (T) a sequence, of which the first one is read
  std::uint32_t blocks = 0;       // of a streamed model, the first ones that are to run; of others all do
  std::vector<float>* hidden = nullptr;  // (T, n_layers + 1, D) for the states of all; null = not wanted
};

// Errors: the backend's.
probe_readings run_probes(const model_files& files, const dlens_model* model, const probe_request& asked);

}  // namespace depthlens
