// SPDX-License-Identifier: Apache-2.0
// Records that are computed together: what their last rounds ask for, as one work.
#pragma once

#include "engine/record_job.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

namespace depthlens {

class job_batch {
 public:
  struct read_of_job {
    record_job* job;
    std::size_t read;
  };

  // The job outlives the batch.
  void add(record_job& job) {
    const round& asked = job.last_round();
    const auto first = static_cast<std::uint32_t>(sequences_.size());
    const auto first_request = static_cast<std::int32_t>(requests_.size());
    sequences_.insert(sequences_.end(), asked.sequences.begin(), asked.sequences.end());
    for (std::size_t r = 0; r < asked.reads.size(); ++r) {
      read_request& read = requests_.emplace_back(asked.reads[r]);
      read.sequence += first;
      read.hidden = read.hidden || job.wants_states();
      if (read.against >= 0) read.against += first_request;
      for (std::int32_t& target : read.targets)
        if (target < -1) target -= first_request;
      owners_.push_back({&job, r});
    }
    if (!asked.edits.empty() || !edits_.empty()) add_edits(asked, first);
    ++n_jobs_;
  }

  // Of changed sequences, whose tokens are all listed; and the states that changes are made of are all held
  // at once: so many bytes each.
  bool is_full(std::size_t state_bytes) const {
    return states_.size() * state_bytes > most_state_bytes || changed_tokens_ > most_changed_tokens;
  }

  asked_work work() const { return {sequences_, requests_, edits_}; }
  const read_of_job& owner(std::size_t request) const { return owners_[request]; }
  std::size_t jobs() const { return n_jobs_; }

 private:
  static constexpr std::size_t most_state_bytes = std::size_t{256} << 20;
  static constexpr std::size_t most_changed_tokens = std::size_t{8} << 20;

  void add_edits(const round& asked, std::uint32_t first) {
    edits_.resize(first);
    edits_.insert(edits_.end(), asked.edits.begin(), asked.edits.end());
    edits_.resize(sequences_.size());
    for (std::size_t b = first; b < sequences_.size(); ++b)
      if (!edits_[b].empty()) changed_tokens_ += sequences_[b].size();
    for (auto edits = edits_.begin() + first; edits != edits_.end(); ++edits)
      for (state_edit& e : *edits)
        for (state_place& place : e.from) {
          const std::vector<std::int32_t>& ids = asked.sequences[place.sequence];
          states_.insert({ids.begin(), ids.begin() + place.position + 1});
          place.sequence += first;
        }
  }

  std::vector<std::vector<std::int32_t>> sequences_;
  std::vector<read_request> requests_;
  std::vector<std::vector<state_edit>> edits_;  // (sequences), or empty
  std::vector<read_of_job> owners_;             // of each request
  std::set<std::vector<std::int32_t>> states_;  // the distinct prefixes at whose ends one is taken
  std::size_t changed_tokens_ = 0;
  std::size_t n_jobs_ = 0;
};

}  // namespace depthlens
