// SPDX-License-Identifier: Apache-2.0
// What a caller overrides of a model's own description: keys of config.json or GGUF metadata that are read as
// if they were absent, because they are not understood and the caller knows that they change nothing. Their
// names belong beside every result.
#pragma once

#include <string>
#include <vector>

namespace depthlens {

struct config_policy {
  // config.json: a key, or with dots a key within an object ("rope_scaling.mscale"). GGUF: the whole name
  // ("llama.expert_count") of a key that belongs to the architecture. A key that the model has not is
  // status::usage.
  std::vector<std::string> ignored;
};

}  // namespace depthlens
