// SPDX-License-Identifier: Apache-2.0
#include "engine/planned_work.hpp"

#include "depthlens/base/error.hpp"
#include "engine/ordered_work.hpp"
#include "engine/pack_schedule.hpp"

#include <algorithm>
#include <numeric>

namespace depthlens {
namespace {

constexpr std::size_t smallest_share = 256;  // nodes of a pack of a small run

std::vector<read_site> gather_sites(const prefix_forest& forest, std::span<const read_request> requests) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> at(requests.size());  // node, request
  for (std::uint32_t i = 0; i < requests.size(); ++i)
    at[i] = {static_cast<std::uint32_t>(forest.node(requests[i].sequence, requests[i].position)), i};
  std::sort(at.begin(), at.end());
  std::vector<read_site> out;
  for (const auto& [node, i] : at) {
    if (out.empty() || out.back().token != node) out.push_back({node, {}, {}});
    read_site& site = out.back();
    site.targets.insert(site.targets.end(), requests[i].targets.begin(), requests[i].targets.end());
    site.reads.push_back(i);
  }
  for (read_site& site : out) {
    std::sort(site.targets.begin(), site.targets.end());
    site.targets.erase(std::unique(site.targets.begin(), site.targets.end()), site.targets.end());
  }
  return out;
}

// Small work is cut finer, so that each of several threads has several packs.
pack_rules finer(const pack_rules& rules, std::size_t tokens) {
  pack_rules out = rules;
  if (rules.threads == 1) return out;
  const std::size_t share = tokens / (4 * static_cast<std::size_t>(rules.threads)) + 1;
  out.pack_tokens = std::min(rules.pack_tokens, std::max({share, smallest_share, rules.fewest_tokens}));
  return out;
}

}  // namespace

std::vector<std::span<const std::int32_t>> needed_parts(std::span<const std::vector<std::int32_t>> sequences,
                                                        std::span<const read_request> requests) {
  std::vector<std::size_t> length(sequences.size(), 0);
  for (const read_request& w : requests) {
    if (w.sequence >= sequences.size() || w.position >= sequences[w.sequence].size())
      fail(status::internal, "a position outside its sequence was asked for");
    length[w.sequence] = std::max<std::size_t>(length[w.sequence], w.position + 1);
  }
  std::vector<std::span<const std::int32_t>> out(sequences.size());
  for (std::size_t b = 0; b < sequences.size(); ++b) out[b] = std::span(sequences[b]).first(length[b]);
  return out;
}

std::vector<std::uint8_t> long_forms(std::span<const std::vector<std::int32_t>> sequences,
                                     std::uint32_t long_positions) {
  std::vector<std::uint8_t> out;
  if (long_positions == 0) return out;
  for (const auto& ids : sequences) out.push_back(ids.size() > long_positions ? 1 : 0);
  if (std::count(out.begin(), out.end(), 1) == 0) out.clear();
  return out;
}

planned_work::planned_work(const asked_work& work, const pack_rules& rules) {
  const auto needed = needed_parts(work.sequences, work.requests);
  const std::vector<std::uint8_t> is_long = long_forms(work.sequences, rules.long_positions);
  const std::vector<std::uint32_t> own_from = first_edits(work, needed);
  forest = build_forest(needed, {.share = rules.sharing, .is_long = is_long, .own_from = own_from});
  sites = gather_sites(forest, work.requests);
  changed = edited_nodes::find(work, forest, sites);
  std::vector<double> weight(forest.size(), 1);
  std::vector<char> is_read(forest.size(), 0);
  for (const read_site& site : sites) {
    weight[site.token] += rules.read_weight;
    is_read[site.token] = 1;
  }
  packs = cut_packs(forest, finer(rules, forest.size()), weight, is_read);
  for (pack& p : packs) {
    const auto own = sites_of(p);
    p.besides = changed.missing(p, forest, static_cast<std::size_t>(own.data() - sites.data()), own.size());
    p.state_bytes += p.besides.size() * rules.token_bytes;
  }
  for (const auto& part : needed) counts.tokens_given += part.size();
  counts.distinct_prefixes =
      rules.sharing ? forest.size() : build_forest(needed, {.is_long = is_long, .own_from = own_from}).size();
  counts.positions_read = sites.size();
  counts.waves = packs.empty() ? 0 : packs.back().wave + 1;
  std::size_t kept = 0;
  std::vector<std::uint64_t> wave_bytes(counts.waves, 0);
  for (const pack& p : packs) {
    if (rules.wave_bytes > 0) wave_bytes[p.wave] += p.state_bytes;
    kept += p.kept_tokens;
    if (p.keep >= 0 || !sites_of(p).empty()) counts.tokens_computed += p.size();
  }
  counts.most_kept_tokens = std::min(kept, rules.kept_tokens);
  for (const std::uint64_t bytes : wave_bytes)
    counts.most_wave_bytes = std::max(counts.most_wave_bytes, bytes);
}

std::span<const read_site> planned_work::sites_of(const pack& p) const {
  const auto lower = [&](std::int32_t node) {
    return std::lower_bound(sites.begin(), sites.end(), static_cast<std::uint32_t>(node),
                            [](const read_site& site, std::uint32_t n) { return site.token < n; });
  };
  return {lower(p.begin), lower(p.end)};
}

std::vector<std::span<const pack>> planned_work::waves() const {
  std::vector<std::span<const pack>> out;
  const auto all = std::span(packs);
  for (std::size_t begin = 0, end = 0; begin < packs.size(); begin = end) {
    while (end < packs.size() && packs[end].wave == packs[begin].wave) ++end;
    out.push_back(all.subspan(begin, end - begin));
  }
  return out;
}

namespace {

evaluation_counts count_planned(const asked_work& asked, const pack_rules& rules) {
  planned_work work(asked, rules);
  if (rules.threads > 1) return work.counts;  // which packs are held together depends on the threads
  work.counts.most_kept_tokens = 0;
  for (const std::span<const pack> wave : work.waves()) {
    pack_schedule one_by_one(wave, rules.kept_tokens);
    for (std::int32_t n = one_by_one.take(); n >= 0; n = one_by_one.take()) one_by_one.finish(n);
    work.counts.most_kept_tokens =
        std::max<std::uint64_t>(work.counts.most_kept_tokens, one_by_one.most_kept_tokens());
  }
  return work.counts;
}

}  // namespace

// In its two parts, as the evaluator runs it.
evaluation_counts count_work(const asked_work& asked, const pack_rules& rules) {
  const ordered_work order(asked);
  if (order.first().empty()) return count_planned(asked, rules);
  evaluation_counts counts = count_planned({asked.sequences, order.first()}, rules);
  const std::vector<read_request> second = order.second();
  return counts += count_planned({asked.sequences, second, asked.edits}, rules);
}

}  // namespace depthlens
