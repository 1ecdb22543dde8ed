// SPDX-License-Identifier: Apache-2.0
// What a run is to do, checked: experiments with their options and data, model, lenses.
#pragma once

#include "depthlens/model/config_policy.hpp"
#include "engine/study_session.hpp"
#include "model/opened_lens.hpp"
#include "model/tokenizer_service.hpp"
#include "model/work_rules.hpp"
#include "run/run_lenses.hpp"
#include "shards/asked_shard.hpp"
#include "shards/shard_plan.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace depthlens {

struct run_request {
  std::string model, name;  // as --model and --name have them
  std::filesystem::path out;
  std::vector<lens_spec> lenses;
  null_request null;
  bool force_lens = false;
  bool allow_mixed_devices = false;
  std::vector<study_plan> studies;
  std::vector<std::string> formats;  // of figures
  std::vector<std::string> tables;   // forms of tables beside CSV
  config_policy policy;
  bos_policy bos = bos_policy::automatic;
  std::string bos_text;
  bool target_gold = false, published = false, fresh = false, dry_run = false;
  bool experts = false;              // tables of the experts that were chosen
  std::string save_states;           // layers, as --save-states has them; "" = none
  bool chat = false;                 // prompts in the model's chat template
  std::uint64_t limit = 0;           // records of each data set
  std::uint32_t generate = 0;        // tokens that are said behind each prompt
  std::optional<asked_shard> shard;  // the part that this process computes; none = the whole
  work_rules work;
  typed_command command;  // what asked for all this, but for the shard
};

}  // namespace depthlens
