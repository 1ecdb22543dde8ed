// SPDX-License-Identifier: Apache-2.0
// Writes a tuned lens as tuned-lens 0.2 of Python reads it: config.json and params.pt, and params.safetensors
// with the same tensors {i}.weight (D, D) and {i}.bias (D), i = 0..n-1.
#pragma once

#include "training/backend_trainer.hpp"

#include <boost/json.hpp>

#include <cstdint>
#include <filesystem>
#include <string>

namespace depthlens {

struct lens_identity {
  std::string model;  // that the lens is for
  std::string unembed_hash;
  std::uint32_t n_layers = 0, d_model = 0;
};

// weight (n, D, D), bias (n, D). Each file is complete or not there. Errors: cannot_create, io.
void write_lens_folder(const std::filesystem::path& folder, const lens_identity& about,
                       const trainer_array& weight, const trainer_array& bias);

// Notes in run.json the files of a finished training as they are, its tables with them.
void note_lens_folder(boost::json::object& manifest, const std::filesystem::path& folder);
// Throws status::data where a file of the lens is not as it was noted: only training makes it again. A table
// that is not is told in a warning.
void refuse_altered_lens(const boost::json::object& manifest, const std::filesystem::path& folder);

}  // namespace depthlens
