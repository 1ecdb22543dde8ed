// SPDX-License-Identifier: Apache-2.0
// What a control reads in place of a run's own reads: the same positions for the same targets, in another
// model or behind shuffled tokens.
#pragma once

#include "engine/job_batch.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace depthlens {

struct shuffle_rule {
  std::uint64_t seed = 0;
  std::vector<std::int32_t> front;  // special ids that stay where prompts begin with them
};

// The tokens of ids[0..position - 1] in an order that `rule` and these tokens decide; the token at the
// position stays, and nothing stands behind it.
std::vector<std::int32_t> shuffled_before(const std::vector<std::int32_t>& ids, std::size_t position,
                                          const shuffle_rule& rule);

// Reads of changed sequences, or held against others, cannot be shuffled: status::unavailable.
void refuse_to_shuffle(const asked_work& work);

// Of a batch that is read: targets that are a top-1 are known then.
class control_batch {
 public:
  // shuffle: null = in the same order. Errors: those of refuse_to_shuffle. The batch outlives it.
  control_batch(const job_batch& batch, const shuffle_rule* shuffle);

  asked_work work() const { return {sequences_, requests_, edits_}; }

 private:
  void shuffle_sequences(const asked_work& from, const shuffle_rule& rule);

  std::vector<std::vector<std::int32_t>> sequences_;
  std::vector<read_request> requests_;
  std::vector<std::vector<state_edit>> edits_;
};

}  // namespace depthlens
