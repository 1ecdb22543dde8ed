// SPDX-License-Identifier: Apache-2.0
// Cuts a run into shards of about as many tokens.
#pragma once

#include "engine/study_session.hpp"
#include "shards/shard_plan.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace depthlens {

struct weighed_record {
  std::uint64_t hash, tokens;  // of its content; that a model computes for it alone
  auto operator<=>(const weighed_record&) const = default;
};

// All records within --limit of all studies, by what their first rounds ask for. Empty where `stop` was set.
std::vector<weighed_record> weigh_records(const std::vector<std::unique_ptr<study_session>>& sessions,
                                          const std::atomic<bool>& stop);

// Sets bounds and shares of a plan for `n` shards. Records of one content lie in one shard, so that some may
// be empty.
void cut_evenly(std::vector<weighed_record> records, std::size_t n, shard_plan& plan);

// The shares where the bounds are given.
void count_shares(const std::vector<weighed_record>& records, shard_plan& plan);

}  // namespace depthlens
