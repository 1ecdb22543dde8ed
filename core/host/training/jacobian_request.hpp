// SPDX-License-Identifier: Apache-2.0
// What the fitting of a Jacobian lens is to do.
#pragma once

#include "depthlens/model/config_policy.hpp"
#include "model/tokenizer_service.hpp"
#include "model/work_rules.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace depthlens {

struct jacobian_request {
  std::string model;
  std::filesystem::path text, out;
  std::uint64_t tokens = 0;             // of a prompt, at most
  std::uint64_t skip_first = 0;         // positions of each that are left out
  std::uint64_t prompts = 0;            // of all shards together, at most
  std::uint64_t seed = 0;               // of the choice among the text's
  std::uint64_t shard = 1, shards = 1;  // which share of the prompts, 1..shards
  std::uint64_t dim_batch = 0;          // rows of the matrices made at once
  std::string bos_text;
  bos_policy bos = bos_policy::automatic;
  work_rules work;
  config_policy policy;
};

}  // namespace depthlens
