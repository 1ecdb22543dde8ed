// SPDX-License-Identifier: Apache-2.0
// A run that is compared with others: its run.json, the figures that are there and its tables, read and never
// written.
#pragma once

#include "results/figures_of_run.hpp"

#include <boost/json.hpp>

#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace depthlens {

struct compared_run {
  std::filesystem::path folder;  // as it was given
  boost::json::object manifest;
  std::string label;  // what tells it from the others
  std::string model;
  unsigned n_layers = 0;            // blocks
  std::vector<run_figure> figures;  // but for those beside a control

  // Members of the key of run.json: "" = none.
  std::string key_text(const char* member) const;
  const boost::json::object* study_key(const std::string& study) const;
  std::set<std::string> studies() const;
  // The lenses of a study's tables in the order in which the run has them, without controls.
  std::vector<std::string> lenses(const std::string& study) const;
  std::vector<std::string> lenses_and_controls(const std::string& study) const;
  // The names of a study's tables of one lens.
  std::vector<std::string> tables(const std::string& study, const std::string& lens) const;
};

// Throws what `plot` of each of them would: no_input where there is no run, or none with figures, data where
// run.json is damaged. The same folder twice is status::usage. Labels are still to be given.
std::vector<compared_run> open_runs(std::span<const std::filesystem::path> folders);

}  // namespace depthlens
