// SPDX-License-Identifier: Apache-2.0
#include "engine/planned_work.hpp"

#include "depthlens/error.hpp"

#include <algorithm>
#include <numeric>

namespace depthlens {
namespace {

constexpr std::size_t kSmallestShare = 256;  // nodes of a pack of a small run

std::vector<node_wishes> gather_by_node(const prefix_forest& forest, std::span<const read_wish> wishes) {
  std::vector<std::pair<std::int32_t, std::size_t>> at(wishes.size());
  for (std::size_t i = 0; i < wishes.size(); ++i)
    at[i] = {forest.node(wishes[i].sequence, wishes[i].position), i};
  std::sort(at.begin(), at.end());
  std::vector<node_wishes> out;
  for (const auto& [node, wish] : at) {
    if (out.empty() || out.back().node != node) out.push_back({node, {}, {}});
    out.back().targets.insert(out.back().targets.end(), wishes[wish].targets.begin(),
                              wishes[wish].targets.end());
    out.back().waiting.push_back(wish);
  }
  for (node_wishes& n : out) {
    std::sort(n.targets.begin(), n.targets.end());
    n.targets.erase(std::unique(n.targets.begin(), n.targets.end()), n.targets.end());
  }
  return out;
}

// The part of each sequence that is needed: nothing behind its last position read.
std::vector<std::span<const std::int32_t>> needed_parts(std::span<const std::vector<std::int32_t>> sequences,
                                                        std::span<const read_wish> wishes) {
  std::vector<std::size_t> length(sequences.size(), 0);
  for (const read_wish& w : wishes) {
    if (w.sequence >= sequences.size() || w.position >= sequences[w.sequence].size())
      fail(status::internal, "a position outside its sequence was asked for");
    length[w.sequence] = std::max<std::size_t>(length[w.sequence], w.position + 1);
  }
  std::vector<std::span<const std::int32_t>> out(sequences.size());
  for (std::size_t b = 0; b < sequences.size(); ++b) out[b] = std::span(sequences[b]).first(length[b]);
  return out;
}

}  // namespace

planned_work::planned_work(std::span<const std::vector<std::int32_t>> sequences,
                           std::span<const read_wish> wishes, const work_rules& rules) {
  const auto needed = needed_parts(sequences, wishes);
  forest = build_forest(needed, rules.sharing);
  reads = gather_by_node(forest, wishes);
  std::vector<double> weight(forest.size(), 1);
  for (const node_wishes& r : reads) weight[r.node] += rules.read_weight;
  // Small runs are cut finer, so that every thread has several packs.
  const std::size_t share = forest.size() / (4 * static_cast<std::size_t>(rules.threads)) + 1;
  packs = cut_packs(
      forest,
      {std::min(rules.pack_tokens, std::max(share, kSmallestShare)), rules.kept_tokens, rules.threads},
      weight);
  for (const auto& part : needed) counts.tokens_given += part.size();
  counts.distinct_prefixes = rules.sharing ? forest.size() : build_forest(needed).size();
  counts.positions_read = reads.size();
  std::size_t kept = 0;
  for (const pack& p : packs) {
    kept += p.kept_tokens;
    if (p.keep >= 0 || !reads_of(p).empty()) counts.tokens_computed += p.size();
  }
  counts.most_kept_tokens = std::min(kept, rules.kept_tokens);
}

std::span<const node_wishes> planned_work::reads_of(const pack& p) const {
  const auto lower = [&](std::int32_t node) {
    return std::lower_bound(reads.begin(), reads.end(), node,
                            [](const node_wishes& r, std::int32_t n) { return r.node < n; });
  };
  return {lower(p.begin), lower(p.end)};
}

evaluation_counts count_work(std::span<const std::vector<std::int32_t>> sequences,
                             std::span<const read_wish> wishes, const work_rules& rules) {
  return planned_work(sequences, wishes, rules).counts;
}

}  // namespace depthlens
