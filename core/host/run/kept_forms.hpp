// SPDX-License-Identifier: Apache-2.0
// A run's tables in the forms that --tables names, and in those that the run has already: a command that does
// not name them keeps them up.
#pragma once

#include "engine/study_session.hpp"
#include "plugins/registry.hpp"
#include "run/run_request.hpp"

#include <boost/json.hpp>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace depthlens {

// Before their CSVs are replaced: the files of such tables ("data/NAME.csv") in other forms are removed, and
// noted no longer, without writing run.json.
void drop_forms(const std::set<std::string>& csvs, const std::filesystem::path& root,
                boost::json::object& manifest);

struct kept_forms {
  const run_request& request;
  const run_context& context;
  const std::vector<std::unique_ptr<study_session>>& sessions;
  std::vector<std::string> before;  // the forms that the run had when the command began
  std::set<std::string> altered;    // files that are not as they were written
  registry& plugins;
  std::filesystem::path root;
  boost::json::object& manifest;
};

enum class forms_end { as_they_were, written, stopped };

// Makes what is missing or altered and notes it in the manifest, without writing that. A form that no plugin
// here writes is status::unavailable where it was asked for; else those files go, with a warning. [main]
forms_end write_kept_forms(const kept_forms& k);

}  // namespace depthlens
