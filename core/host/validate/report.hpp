// SPDX-License-Identifier: Apache-2.0
// The checks of plugin files from a command line, as lines or JSON.
#pragma once

#include "validate/check.hpp"

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace depthlens {

struct validation {
  std::vector<std::filesystem::path> files;
  std::set<std::string, std::less<>> only;     // ids of checks; empty = all
  std::map<std::string, std::string> options;  // of experiments, for those that have no default
  child_rules rules;
  bool json = false;
};

// Prints what comes of every check on stdout; true where none fails or crashes. Throws status::no_input for a
// file that is not there.
bool validate(const validation& v);

}  // namespace depthlens
