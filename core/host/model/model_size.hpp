// SPDX-License-Identifier: Apache-2.0
// How many parameters a forward pass uses.
#pragma once

#include "depthlens/model/model_files.hpp"

#include <algorithm>

namespace depthlens {

// Parameters of the blocks, each used once for a token.
inline double block_parameters(const model_files& model) {
  double parameters = 0;
  for (const tensor_view& t : model.tensors()) {
    if (t.name == "embed" || t.name == "unembed") continue;
    double n = 1;
    for (const std::uint64_t d : t.shape) n *= static_cast<double>(d);
    parameters += n;
  }
  return parameters;
}

// Parameters of the unembedding, each used once for a layer that is read.
inline double unembed_parameters(const model_files& model) {
  const architecture& a = model.arch();
  return static_cast<double>(a.vocab_size) * a.d_model;
}

// What reading a layer costs, in tokens.
inline double row_weight(const model_files& model) {
  return unembed_parameters(model) / std::max(block_parameters(model), 1.0);
}

}  // namespace depthlens
