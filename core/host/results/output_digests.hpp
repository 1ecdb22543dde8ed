// SPDX-License-Identifier: Apache-2.0
// "outputs" of run.json: size and SHA-256 of every file that a run wrote, by its path within the folder
// ("data/facts_logit.csv"). What differs from that is not what the run wrote, and is made again.
#pragma once

#include "results/hashed_file.hpp"

#include <boost/json.hpp>

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

void note_output(boost::json::object& manifest, const std::string& name, const file_digest& digest);
// Of a file as it is there now.
void note_output(boost::json::object& manifest, const std::filesystem::path& root, const std::string& name);
// Of every output below such a path ("plots/").
void forget_outputs(boost::json::object& manifest, std::string_view below);

enum class output_state { as_written, different, absent, not_noted };
// Reads the file where its size is right.
output_state state_of_output(const boost::json::object& manifest, const std::filesystem::path& root,
                             const std::string& name);

// The noted outputs that are different or absent, but for those in `skipped`.
std::vector<std::string> altered_outputs(const boost::json::object& manifest,
                                         const std::filesystem::path& root,
                                         const std::set<std::string>& skipped = {});
// Those that are noted below a path.
std::vector<std::string> noted_outputs(const boost::json::object& manifest, std::string_view below);

// "a, b and 3 more", fit for one line.
std::string names_for_people(const std::vector<std::string>& names);

}  // namespace depthlens
