// SPDX-License-Identifier: Apache-2.0
#include "shards/shard_cut.hpp"

#include "engine/dataset_records.hpp"
#include "engine/record_job.hpp"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <limits>
#include <span>
#include <utility>

namespace depthlens {
namespace {

using ids = std::vector<std::int32_t>;

// Tokens of sequences that share what they have in common.
std::uint64_t distinct_tokens(std::vector<std::span<const std::int32_t>> sequences) {
  std::sort(sequences.begin(), sequences.end(),
            [](const auto& a, const auto& b) { return std::ranges::lexicographical_compare(a, b); });
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    n += sequences[i].size();
    if (i > 0)
      n -= static_cast<std::uint64_t>(std::ranges::mismatch(sequences[i - 1], sequences[i]).in2 -
                                      sequences[i].begin());
  }
  return n;
}

// A changed run is computed by itself from its first change on.
std::uint64_t changed_tokens(const ids& sequence, const std::vector<state_edit>& edits) {
  std::uint32_t first = std::numeric_limits<std::uint32_t>::max();
  for (const state_edit& e : edits) first = std::min(first, e.position);
  return sequence.size() - std::min<std::uint64_t>(sequence.size(), first);
}

std::uint64_t tokens_of(const round& asked) {
  std::vector<std::span<const std::int32_t>> plain;
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < asked.sequences.size(); ++i) {
    plain.emplace_back(asked.sequences[i]);
    if (!asked.edits.empty() && !asked.edits[i].empty())
      n += changed_tokens(asked.sequences[i], asked.edits[i]);
  }
  for (const generation_request& g : asked.generations) {
    plain.emplace_back(g.ids);
    n += g.n_tokens;
  }
  return n + distinct_tokens(std::move(plain));
}

// Records on their way through plan, so many at a time.
class scale {
 public:
  explicit scale(std::vector<weighed_record>& out) : out_(out) {}

  void add(const study_session& session, record r, std::uint32_t dataset) {
    constexpr std::size_t at_once = 4096;
    waiting_.emplace_back(&session, std::make_unique<record_job>(std::move(r), dataset, 0));
    if (waiting_.size() == at_once) weigh();
  }
  void weigh() {
    const std::size_t first = out_.size();
    out_.resize(first + waiting_.size());
    tbb::parallel_for(std::size_t{0}, waiting_.size(), [&](std::size_t i) {
      const auto& [session, job] = waiting_[i];
      // One that asks for nothing still is a line in a table.
      out_[first + i] = {job->content_hash(),
                         1 + (session->plan_record(*job) ? tokens_of(job->last_round()) : 0)};
    });
    waiting_.clear();
  }

 private:
  std::vector<weighed_record>& out_;
  std::vector<std::pair<const study_session*, std::unique_ptr<record_job>>> waiting_;
};

}  // namespace

std::vector<weighed_record> weigh_records(const std::vector<std::unique_ptr<study_session>>& sessions,
                                          const std::atomic<bool>& stop) {
  std::vector<weighed_record> out;
  scale s(out);
  for (const auto& session : sessions)
    for (std::uint32_t d = 0; d < session->plan().datasets.size(); ++d) {
      const dataset_plan& data = session->plan().datasets[d];
      const auto reader = open_records(data, session->context());
      const std::uint64_t limit = session->limit_of(data);
      std::uint64_t n = 0;
      for (record r; n < limit && reader->next(r); ++n) {
        if (stop) return {};
        s.add(*session, std::move(r), d);
      }
      s.weigh();
    }
  return out;
}

void cut_evenly(std::vector<weighed_record> records, std::size_t n, shard_plan& plan) {
  std::sort(records.begin(), records.end());
  std::uint64_t all = 0, before = 0;
  for (const weighed_record& r : records) all += r.tokens;
  plan.bounds.clear();
  for (std::size_t i = 0; i < records.size() && plan.bounds.size() + 1 < n; ++i) {
    // Its middle decides on which side of a cut a record lies.
    const double middle = static_cast<double>(before) + static_cast<double>(records[i].tokens) / 2;
    const bool another = i > 0 && records[i - 1].hash != records[i].hash;
    while (another && plan.bounds.size() + 1 < n &&
           middle >= static_cast<double>(all) * static_cast<double>(plan.bounds.size() + 1) /
                         static_cast<double>(n))
      plan.bounds.push_back(records[i].hash);
    before += records[i].tokens;
  }
  // More shards than contents: the rest is empty.
  plan.bounds.resize(n - 1, std::numeric_limits<std::uint64_t>::max());
  count_shares(records, plan);
}

void count_shares(const std::vector<weighed_record>& records, shard_plan& plan) {
  plan.shares.assign(plan.bounds.size() + 1, {});
  for (const weighed_record& r : records) {
    shard_share& share = plan.shares[plan.shard_of(r.hash) - 1];
    ++share.records;
    share.tokens += r.tokens;
  }
}

}  // namespace depthlens
