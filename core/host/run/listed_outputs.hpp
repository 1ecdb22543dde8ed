// SPDX-License-Identifier: Apache-2.0
// What run.json says of the tables and figures of a run, and whether they are there.
#pragma once

#include "engine/study_session.hpp"
#include "results/run_folder.hpp"
#include "results/tables.hpp"
#include "run/run_lenses.hpp"

#include <boost/json.hpp>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace depthlens {

// The finished tables of one study and lens.
struct outputs_of_lens {
  const study_session& study;
  const run_lenses& lenses;
  std::size_t lens;
  const run_context& context;
  const finished_tables& done;
};

// Adds an entry to "figures" for each figure that is drawn of them: a control is drawn beside its lens, and
// not alone.
void list_figures(const outputs_of_lens& o, boost::json::object& manifest);

// Two tables or figures of these studies and lenses that would have one name are status::usage.
void check_file_names(const std::vector<std::unique_ptr<study_session>>& studies, const run_context& context);

// A folder without run.json that holds tables or records is none of ours, or has lost what they belong to:
// status::config.
void refuse_unlisted_files(const run_folder& folder);

// Notes in "data" how many records of each data set the finished tables are of: a later command takes none
// away.
void list_limits(const std::vector<std::unique_ptr<study_session>>& studies, boost::json::object& manifest);

// The tables of a study and lens, by path within the run; nothing where the manifest has no list of them.
std::optional<std::vector<std::string>> tables_of(const boost::json::object& manifest,
                                                  const std::string& study, const std::string& lens);

// Did the run in the manifest end, and does it note all tables of these studies and lenses, with their
// digests? Whether the files are still so says output_digests.hpp.
bool tables_complete(const boost::json::object& manifest,
                     const std::vector<std::unique_ptr<study_session>>& studies,
                     const std::vector<std::string>& lens_labels);

// "" = the manifest names none.
std::string model_name_in(const boost::json::object& manifest);

}  // namespace depthlens
