// SPDX-License-Identifier: Apache-2.0
// Job files of cluster engines for a planned run: the recipes in share/cluster with their blanks filled in.
#pragma once

#include "shards/shard_plan.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace depthlens {

// Of one shard.
struct shard_needs {
  std::uint64_t memory = 0;  // bytes
  double flops = 0;
  unsigned threads = 1;

  // Twice what it takes where a thread does ten thousand million of them a second, and ten minutes to begin.
  std::uint64_t minutes() const;
};

struct job {
  const shard_plan& plan;
  shard_needs needs;
  std::filesystem::path root;  // --out
  std::string backend, device;
};

// Throws status::usage, listing the engines, for one that there is no recipe of.
void check_engine(const std::string& engine);

// Errors: those of check_engine; no_input where the recipe is not installed; usage, where a word of the
// command has a line break, which no such file can hold.
std::string job_file(const std::string& engine, const job& j);

// A word of a shell; of bash, where it holds what no other could be shown.
std::string shell_quoted(const std::string& text);

}  // namespace depthlens
