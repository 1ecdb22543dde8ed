// SPDX-License-Identifier: Apache-2.0
// Whether a run is what it says: its files as it wrote them, its tables those of its logs, and some of its
// records the same when they are computed again.
#pragma once

#include "plugins/registry.hpp"
#include "run/run_request.hpp"

#include <boost/json.hpp>

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace depthlens {

struct verified {
  std::uint64_t files = 0, tables = 0, records = 0;       // that were looked at
  std::set<std::pair<std::string, std::string>> results;  // likewise: experiment and lens
  std::vector<std::string> differences;                   // a line for each, up to a hundred of a kind
};

// The files that run.json notes.
void verify_files(const std::filesystem::path& run, verified& out);

// What is said where a stop was asked for.
inline constexpr const char* stopped_verify =
    "stopped; nothing of a verification is kept: the same command begins anew";

struct verified_sample {
  std::uint64_t records = 0, seed = 0;
  std::filesystem::path scratch;  // a folder for what is made again
};

// Tables of the request, of the logs, beside those in the run's folder request.out, of whose content they
// are made again in a temporary one. Then so many of its records, drawn by the seed, are computed again and
// compared with the logs: on a processor of the run's own class to the last bit, elsewhere floats to 1e-4.
// Nothing in the run is changed. Experiments and lenses that were looked at before are not again, if all of
// the request's were. Throws what execute_run throws; status::stopped. [main]
void verify_results(run_request request, const verified_sample& asked, registry& plugins, verified& out);

// Whether the tables of all these experiments that run.json lists were looked at; "pos+facts".
bool are_verified(const std::string& words, const boost::json::object& manifest, const verified& so_far);
// Tells of what run.json lists tables and no command was looked at.
void verify_nothing_is_missing(const boost::json::object& manifest, verified& out);

}  // namespace depthlens
