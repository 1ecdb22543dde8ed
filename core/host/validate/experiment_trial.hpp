// SPDX-License-Identifier: Apache-2.0
// An experiment at work on trial data, with a model that is made up: what it reads follows from the tokens
// alone, so that every run of it comes to the same tables.
#pragma once

#include "validate/check.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace depthlens {

struct trial_way {
  unsigned threads = 1;       // that plan and consume at once
  bool backwards = false;     // records in the opposite order
  bool empty = false;         // data without a record
  bool stopping = false;      // its host is to stop
  std::string name = "once";  // of the folder in that of the plugin
};

// The tables that the experiment makes, by file name. Throws what it reports, or what it does wrong.
std::map<std::string, std::string> tables_of_trial(checked_plugin& plugin, const trial_way& way);

// Creates its study with the default of every option but those of `options`, and describes it: as far as a
// run comes before its first record. Throws what it reports.
void describe_trial(checked_plugin& plugin, const std::map<std::string, std::string>& options);

}  // namespace depthlens
