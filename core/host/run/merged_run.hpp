// SPDX-License-Identifier: Apache-2.0
// What a merge does in the place of computing: the run of the whole takes over what its shards have.
#pragma once

#include "plugins/registry.hpp"
#include "results/run_folder.hpp"
#include "run/held_run.hpp"
#include "run/run_inputs.hpp"
#include "run/run_part.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace depthlens {

// Are all shards there?
bool is_whole(const merged_part& m);

// Nothing is computed, so it need not be there: its word alone is known.
registry::backend backend_of_shards(const merged_part& m);

// Throws status::config, naming the fields, where model, data or options are no longer what the shards were
// planned with.
void refuse_other_inputs(const merged_part& m, const run_inputs& inputs);

// Before the run's configuration is taken: the mean states of --null mean, which all shards have alike.
void take_shared_parts(const merged_part& m, held_run& run);

// A log of the whole, of those of its name in the shards.
void merge_shards(const merged_part& m, const std::filesystem::path& whole);

// Notes in run.json, without writing it, which shards it is of, on what devices they were computed and what
// work that was. Throws status::config where devices of several classes are not allowed.
void note_shards(const merged_part& m, bool allow_mixed_devices, held_run& run);

// Throws status::data where fewer records are there than the shards' plan says.
void refuse_lost_records(const merged_part& m, std::uint64_t there, const std::filesystem::path& folder);

}  // namespace depthlens
