// SPDX-License-Identifier: Apache-2.0
// The models that Hugging Face tools have downloaded to this machine, for `depthlens models` without a name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace depthlens {

struct cached_model {
  std::string name;  // as it is given to --model
  std::uint64_t bytes = 0;
  std::string note;  // what keeps it from being opened by that name; "" = nothing
};

// Of a cache folder, by name; a repository of GGUF files gives one for each file. What is no model (data
// sets, tokenizers alone) is left out. Nothing is opened but folders, refs and the list of shards.
std::vector<cached_model> cached_models(const std::filesystem::path& cache);

}  // namespace depthlens
