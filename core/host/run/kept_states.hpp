// SPDX-License-Identifier: Apache-2.0
// The part of a run that --save-states asks for: looked at before it begins, and its files made of the logs
// of states in the end. "states" of run.json says of how many records the files of a study are.
#pragma once

#include "engine/study_session.hpp"
#include "log/record_log.hpp"
#include "results/run_folder.hpp"
#include "run/run_inputs.hpp"

#include <boost/json.hpp>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace depthlens {

// Where the states of a study are in a run's folder, "states/pos/".
std::string states_below(const std::string& study);

// What a process is to keep states of.
struct states_part {
  std::function<bool(std::size_t study, const record_key&)> wanted = {};  // empty = all records
  bool of_a_shard = false;  // which may have no records, and makes no files
};

// Before anything is computed. False where a stop was asked for meanwhile. Throws status::usage where no
// position is read, io where the space does not do.
bool may_keep_states(run_inputs& inputs, const states_part& part, const run_folder& folder,
                     const boost::json::object& manifest);

// Makes the files of a study where they are not of all records that the log has and the run asks for, or
// where some are not as they were written (`altered`), and notes them in the manifest, without writing that.
// False where a stop was asked for meanwhile.
bool write_kept_states(const study_session& session, const record_log& log,
                       const std::vector<std::string>& altered, const std::filesystem::path& root,
                       boost::json::object& manifest);

// Warns where the run has files of states of fewer records than it is of, as one that was extended without
// --save-states.
void warn_of_older_states(const std::vector<std::unique_ptr<study_session>>& sessions,
                          const boost::json::object& manifest);

}  // namespace depthlens
