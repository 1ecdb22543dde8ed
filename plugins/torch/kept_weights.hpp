// SPDX-License-Identifier: Apache-2.0
// Weights that autograd may keep. Those of a model are made in inference mode, whose tensors it refuses, and
// on the CPU their matrices are packed for oneDNN, whose products have no derivative.
#pragma once

#include "weights.hpp"

namespace depthlens::torch_backend {

// The same values; where they lie as plain matrices they are shared, packed ones are unpacked into memory of
// their own. `w` outlives it. Without the unembedding, which no derivative goes through. Not to be called in
// inference mode.
model_weights kept_weights(const model_weights& w);

}  // namespace depthlens::torch_backend
