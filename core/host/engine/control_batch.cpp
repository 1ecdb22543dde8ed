// SPDX-License-Identifier: Apache-2.0
#include "engine/control_batch.hpp"

#include "depthlens/base/error.hpp"

#include <algorithm>
#include <random>
#include <utility>

namespace depthlens {
namespace {

std::uint64_t seed_of(const std::vector<std::int32_t>& ids, std::uint64_t seed) {
  std::uint64_t h = seed ^ 0xcbf29ce484222325u;  // FNV-1a, token by token
  for (const std::int32_t id : ids) h = (h ^ static_cast<std::uint32_t>(id)) * 0x100000001b3u;
  return h;
}

}  // namespace

std::vector<std::int32_t> shuffled_before(const std::vector<std::int32_t>& ids, std::size_t position,
                                          const shuffle_rule& rule) {
  const auto end = static_cast<std::ptrdiff_t>(position);
  std::vector<std::int32_t> out(ids.begin(), ids.begin() + end + 1);
  const bool has_front =
      rule.front.size() <= position && std::equal(rule.front.begin(), rule.front.end(), out.begin());
  const std::size_t first = has_front ? rule.front.size() : 0;
  std::mt19937_64 random(seed_of(out, rule.seed));
  for (std::size_t i = position; i > first + 1; --i)  // Fisher and Yates
    std::swap(out[i - 1], out[first + random() % (i - first)]);
  return out;
}

void refuse_to_shuffle(const asked_work& work) {
  for (const read_request& r : work.requests)
    if (!work.is_plain(r.sequence) || r.against >= 0)
      fail(status::unavailable, "--null shuffled: an experiment that changes states has no such control");
}

control_batch::control_batch(const job_batch& batch, const shuffle_rule* shuffle) {
  const asked_work work = batch.work();
  requests_.assign(work.requests.begin(), work.requests.end());
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    const job_batch::read_of_job& owner = batch.owner(i);
    requests_[i].hidden = false;  // states are those of the model itself
    const std::vector<std::int32_t>& own = owner.job->last_round().reads[owner.read].targets;
    for (std::size_t k = 0; k < own.size(); ++k) {
      if (own[k] >= 0) continue;
      const std::size_t read = own[k] == -1 ? owner.read : read_of_target(own[k]);
      requests_[i].targets[k] = owner.job->last_round().results[read]->final_top;
    }
  }
  if (shuffle != nullptr) {
    shuffle_sequences(work, *shuffle);
    return;
  }
  sequences_.assign(work.sequences.begin(), work.sequences.end());
  edits_.assign(work.edits.begin(), work.edits.end());
}

void control_batch::shuffle_sequences(const asked_work& from, const shuffle_rule& rule) {
  refuse_to_shuffle(from);
  for (read_request& r : requests_) {
    sequences_.push_back(shuffled_before(from.sequences[r.sequence], r.position, rule));
    r.sequence = static_cast<std::uint32_t>(sequences_.size() - 1);
  }
}

}  // namespace depthlens
