// SPDX-License-Identifier: Apache-2.0
// The mean of the residual stream at each layer, over the positions that the first records of a run are read
// at: what the control `--null mean` reads instead of a prompt's own state.
#pragma once

#include "engine/evaluator.hpp"
#include "engine/study_session.hpp"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

namespace depthlens {

struct mean_states {
  std::uint32_t n_layers = 0, d_model = 0;
  std::uint64_t positions = 0;  // that were averaged
  std::vector<float> values;    // (n_layers + 1, D)

  // A safetensors file with the tensor "mean".
  void write(const std::filesystem::path& file) const;
  // Errors: data for a file of another shape.
  static mean_states read(const std::filesystem::path& file, std::uint32_t n_layers, std::uint32_t d_model);
  // SHA-256 of the values.
  std::string sha256() const;
};

// The positions, position 0 left out, that the studies ask for first for their first `records` records, in
// the order of studies, data sets and rows. The sums are exact, so the mean does not depend on packs or
// threads. `run` gives states of (n_layers + 1) * D floats. Nothing where `stop` became true first. Errors:
// usage where no position is read.
std::optional<mean_states> mean_of_states(const run_context& context,
                                          const std::vector<std::unique_ptr<study_session>>& sessions,
                                          const evaluator& run, std::uint32_t d_model, std::uint64_t records,
                                          const std::atomic<bool>& stop);

}  // namespace depthlens
