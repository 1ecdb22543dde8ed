// SPDX-License-Identifier: Apache-2.0
// The options that experiment plugins declare, on the command line: --EXPERIMENT.KEY for one, --KEY for all
// that have it.
#pragma once

#include "commands/command.hpp"
#include "engine/study_session.hpp"

#include <string>
#include <vector>

namespace depthlens {

class experiment_options {
 public:
  explicit experiment_options(const std::vector<study_plan>& studies);
  const boost::program_options::options_description& description() const { return description_; }
  // Sets options and file_hashes of a study: the long form, else the short one, else the default.
  void apply(const parsed_options& given, study_plan& study) const;

 private:
  boost::program_options::options_description description_;
};

}  // namespace depthlens
