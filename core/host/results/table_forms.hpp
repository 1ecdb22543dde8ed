// SPDX-License-Identifier: Apache-2.0
// Tables of a run in other forms beside their CSVs: "data/NAME.parquet" of "data/NAME.csv". A plugin makes
// them of the CSV (abi/tables.h); which of them a run has is what run.json notes as its outputs.
#pragma once

#include "depthlens/abi/tables.h"
#include "results/hashed_file.hpp"

#include <boost/json.hpp>

#include <atomic>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace depthlens {

// "csv,parquet,arrow" -> those but csv, each once; others are status::usage.
std::vector<std::string> parse_table_forms(const std::string& list);

// The forms in which run.json notes a table.
std::vector<std::string> table_forms_noted(const boost::json::object& manifest);

// "data/NAME.csv" -> "data/NAME.parquet".
std::string in_form(const std::string& csv, const std::string& form);

struct form_request {
  const dlens_tables* writer;
  std::string form;
  const dlens_table& table;
  bool as_published = false;  // see table_request
  std::filesystem::path csv, to;
  std::vector<std::pair<std::string, std::string>> about;
};

// The file appears when it is complete. Throws what the plugin says, status::stopped where `stop` became true
// first. [main]
file_digest write_table_form(const form_request& request, const std::atomic<bool>& stop);

}  // namespace depthlens
