// SPDX-License-Identifier: Apache-2.0
// A model as it may have been before training: the same architecture with random weights, as a control.
#pragma once

#include "depthlens/model/model_files.hpp"

#include <cstdint>
#include <filesystem>

namespace depthlens {

// Matrices are drawn around 0 with standard deviation 0.02, those that write to the residual stream (o, down)
// with 0.02 / sqrt(2 n_layers), as GPT-2 was begun; norms multiply by 1, biases and what else has one number
// for each row are 0, decays of a delta rule -1, scales 1. Numbers depend on `seed`, the tensor's name and
// their place alone, and are the same on every machine; matrices are held as bf16. They lie in a file of
// `folder` without a name, which goes with the object. Errors: status::io, cannot_create.
model_files untrained_weights(const model_files& trained, std::uint64_t seed,
                              const std::filesystem::path& folder);

}  // namespace depthlens
