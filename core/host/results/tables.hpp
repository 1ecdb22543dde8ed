// SPDX-License-Identifier: Apache-2.0
// Makes the CSVs of a study and lens from its record log, in one pass: the rows of records as they were
// logged, in order of data set and record, and the summary tables that the study's finish makes of them.
// Files are renamed into place when complete.
#pragma once

#include "engine/study_session.hpp"
#include "log/record_log.hpp"
#include "results/hashed_file.hpp"
#include "results/run_device.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace depthlens {

// kept ("" = kept) and not kept, by set and reason
using kept_counts = std::map<std::string, std::map<std::string, std::uint64_t>>;

struct finished_tables {
  std::vector<std::string> files;                // names within the folder
  std::vector<file_digest> digests;              // of each file
  std::vector<std::string> summaries;            // those files that hold sums over records
  std::map<std::string, std::uint64_t> prompts;  // by figure id
  kept_counts counts;
  device_records devices;
};

struct table_request {
  const study_session& session;
  const record_log& log;
  std::uint32_t lens = 0;  // its number in the run
  bool shared_too = true;  // write the tables that are the same for every lens
  // As the published code writes: quotes only where needed, a lone newline for a table without rows.
  bool as_published = false;
  std::filesystem::path folder;
};

// Which records of its logs a study's command asks for: they may hold more.
std::function<bool(const record_key&)> within_limit(const study_session& session);

finished_tables write_tables(const table_request& request, const run_context& context);

// A table that is written of a study and lens.
struct named_table {
  std::uint32_t number;
  const dlens_table* table;
  std::string file;  // "facts_logit.csv"
};
// Those that are the same for every lens among them where shared_too.
std::vector<named_table> tables_of_lens(const study_session& session, const run_context& context,
                                        std::uint32_t lens, bool shared_too);

// The file name of a table or figure: {lens}, {_lens} and {name} replaced, no path separators.
std::string file_stem(const char* form, const std::string& lens, const std::string& name);

}  // namespace depthlens
