// SPDX-License-Identifier: Apache-2.0
// Whose an output folder is: what others keep in one is neither written over nor moved aside.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace depthlens {

// An entry of the folder that depthlens did not write; "" where there is none, or no folder. A folder is
// depthlens's own with everything in it where its run.json is, and where it holds nothing but the parts that
// run_folder makes.
std::string foreign_entry(const std::filesystem::path& folder);

// Throws status::config, naming the entry and what cannot be done: "cannot become the folder of a lens".
void refuse_foreign_folder(const std::filesystem::path& folder, const std::string& what);

// Throws status::usage where the folder is, or holds, a file or folder that a command reads.
void refuse_inputs_within(const std::filesystem::path& folder,
                          const std::vector<std::filesystem::path>& inputs);

}  // namespace depthlens
