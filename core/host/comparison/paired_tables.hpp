// SPDX-License-Identifier: Apache-2.0
// Which tables of two runs have the same rows to be compared, row by row, and by what their prompts belong
// together.
#pragma once

#include "comparison/compared_run.hpp"
#include "comparison/table_rows.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace depthlens {

// A table with rows of prompts, positions and layers in a run and in another.
struct paired_table {
  std::string table;             // the file's name without lens and ending
  std::string lens, other_lens;  // not the same where the runs have none in common
  std::filesystem::path rows, other_rows;
  std::optional<std::filesystem::path> prompts;  // with clusters; none = every prompt is one
};

model_rows rows_of_model(const compared_run& run);

// All tables of prompts, with clusters, of a study.
std::vector<std::filesystem::path> tables_of_prompts(const compared_run& run, const std::string& study);

// The table of prompts, with clusters, of a study's rows of that name ("pos_DET"): the one that is called
// after them, else the only one of the study.
std::optional<std::filesystem::path> prompts_of(const compared_run& run, const std::string& study,
                                                const std::string& table);

// In the order of the run's tables. Tables that the other run does not have are no pairs. Of a run and
// itself: the tables of each two of its lenses, controls among them.
std::vector<paired_table> pair_tables(const compared_run& run, const compared_run& other);

}  // namespace depthlens
