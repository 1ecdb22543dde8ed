// SPDX-License-Identifier: Apache-2.0
// The losses of a training as CSVs: train.csv, of every step, and validation.csv, of held-out text at some of
// them.
#pragma once

#include "figures/figure_spec.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace depthlens {

struct loss_row {
  std::string lens;                       // of validation.csv: logit, initial, trained
  std::uint64_t step = 0, positions = 0;  // that were trained on by then; of train.csv: of this step
  std::vector<float> kl;                  // (n) layers 0..n-1, nats
};

double mean_of(const std::vector<float>& values);  // there is one

enum class loss_kind { train, validation };

// Complete or not at all.
void write_losses(const std::filesystem::path& file, loss_kind kind, const std::vector<loss_row>& rows);
// The rows up to a step; none where there is no file. Throws status::data for a table of another form.
std::vector<loss_row> read_losses(const std::filesystem::path& file, loss_kind kind, std::size_t n_layers,
                                  std::uint64_t last_step);

figure_spec validation_figure();

// "figures" of run.json: that of validation.csv, where there is one.
void describe_losses(const std::vector<loss_row>& validation, std::size_t held_out,
                     boost::json::object& manifest);

}  // namespace depthlens
