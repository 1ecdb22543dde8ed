// SPDX-License-Identifier: Apache-2.0
// What a training is to do.
#pragma once

#include "depthlens/model/config_policy.hpp"
#include "model/tokenizer_service.hpp"
#include "model/work_rules.hpp"

#include <boost/json.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace depthlens {

enum class lens_start { identity, least_squares };

struct train_request {
  std::string model;
  std::filesystem::path text, out;
  std::filesystem::path validation_file;  // "" = a share of the text
  double validation_share = 0;
  std::uint64_t validation_positions = 0, positions = 0, steps = 0, batch_positions = 0;
  std::uint64_t fit_positions = 0, context = 0, checkpoint_every = 0, seed = 0;
  bool adam = true, bias_only = false, whiten = true, fresh = false, allow_mixed_devices = false;
  lens_start start = lens_start::least_squares;
  double learning_rate = 0, momentum = 0, second_momentum = 0, weight_decay = 0, gradient_limit = 0,
         ridge = 0;
  std::string bos_text;
  bos_policy bos = bos_policy::automatic;
  work_rules work;
  std::vector<std::string> formats;
  config_policy policy;
};

// The options that the lens depends on, for run.json.
boost::json::object options_of(const train_request& r);

}  // namespace depthlens
