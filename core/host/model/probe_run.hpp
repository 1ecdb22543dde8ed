// SPDX-License-Identifier: Apache-2.0
// One token through a backend, read with the logit lens at the first and last layer and with states made up
// here in place of the model's own. What the readings should be is self_check.hpp's.
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

// Errors: the backend's.
probe_readings run_probes(const model_files& files, const dlens_model* model, std::int32_t token);

}  // namespace depthlens
