// SPDX-License-Identifier: Apache-2.0
// Jacobian lenses fitted on parts of the prompts, as one.
#pragma once

#include <filesystem>
#include <vector>

namespace depthlens {

// Writes to `out` the mean of the lenses, weighted by their numbers of prompts and added up in double, so
// that all shards give what the whole would have to float32's rounding. Throws status::usage for fewer than
// two files; status::data for files that do not say their number of prompts, differ in width, blocks or
// target layer, were fitted on other texts, models or otherwise than the first, or are of the same shard.
void merge_jacobians(const std::vector<std::filesystem::path>& files, const std::filesystem::path& out);

}  // namespace depthlens
