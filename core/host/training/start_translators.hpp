// SPDX-License-Identifier: Apache-2.0
// The translators that a training begins with, kept in a file until it ends: a layer that became worse on
// held-out text gets its own back. Layers are trained apart from each other, so each may be chosen by itself.
#pragma once

#include "training/array_file.hpp"
#include "training/loss_table.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace depthlens {

// Layers whose KL on held-out text is larger at the end than at the start.
std::vector<std::size_t> layers_made_worse(const loss_row& start, const loss_row& end);

// Puts the translators that an array_file has for those layers in the place of the given ones: weight (n, D,
// D), bias (n, D). Errors: status::data for a file of other shapes.
void restore_layers(const std::filesystem::path& file, const std::vector<std::size_t>& layers,
                    trainer_array& weight, trainer_array& bias);

// A warning that names the layers which `end` leaves further from the output than the logit lens, on `text`.
void warn_of_layers_made_worse(const loss_row& logit, const loss_row& end, const std::string& text);

}  // namespace depthlens
