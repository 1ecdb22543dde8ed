// SPDX-License-Identifier: Apache-2.0
// differences.csv: the paired differences of every two runs, in all tables that both have.
#pragma once

#include "comparison/compared_run.hpp"

#include <boost/json.hpp>

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace depthlens {

struct difference_table {
  boost::json::array about;          // of each two tables: how many rows were joined, and how many were not
  std::vector<std::string> remarks;  // one line each: what of which tables is not compared, and why
};

// Of one run alone: of each two of its lenses. Written whole or not at all.
difference_table write_differences(std::span<const compared_run> runs, const std::filesystem::path& csv);

}  // namespace depthlens
