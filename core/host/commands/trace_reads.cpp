// SPDX-License-Identifier: Apache-2.0
#include "commands/trace_reads.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

namespace depthlens {
namespace {

std::vector<std::int32_t> sorted_once(std::vector<std::int32_t> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

// Calls found(id, log-probability) for each of a lens's lists at a position.
template <class Found>
void each_listed(const trace_result& all, const site_readings& r, std::size_t lens, const Found& found) {
  const lens_reading& read = r.lenses[lens];
  const std::size_t K = all.top_k;
  for (std::size_t l = 0; l < all.lenses[lens].layers.size(); ++l) {
    if (!std::isfinite(read.entropy[l])) continue;
    for (std::size_t j = l * K; j < (l + 1) * K; ++j)
      if (read.top[j] >= 0) found(read.top[j], read.top_logprob[j]);
  }
}

}  // namespace

std::vector<position_readings> read_targets(const evaluator& run, const trace_result& all,
                                            const targets_at& targets) {
  std::vector<position_readings> out;
  std::vector<std::vector<std::int32_t>> sequences;
  std::vector<read_request> requests;
  std::vector<std::pair<std::size_t, std::size_t>>
      places;  // of each request: prompt, and which of its readings
  for (const trace_prompt& p : all.prompts) {
    for (std::size_t i = 0; i < p.readings.size(); ++i) {
      places.emplace_back(out.size(), i);
      requests.push_back(
          {static_cast<std::uint32_t>(sequences.size()), p.readings[i].position, targets(p, p.readings[i])});
    }
    out.emplace_back(p.readings.size());
    sequences.push_back(p.ids);
  }
  run.run({sequences, requests}, [&](std::size_t request, std::shared_ptr<const site_readings> result) {
    const auto [prompt, reading] = places[request];
    out[prompt][reading] = std::move(result);
  });
  return out;
}

void read_positions(const evaluator& run, trace_result& all) {
  const auto asked = [&](const trace_prompt&, const trace_reading&) { return all.targets; };
  std::vector<position_readings> read = read_targets(run, all, asked);
  for (std::size_t p = 0; p < read.size(); ++p)
    for (std::size_t i = 0; i < read[p].size(); ++i)
      all.prompts[p].readings[i].result = std::move(read[p][i]);
}

std::vector<std::int32_t> likely_tokens(const trace_result& all, const site_readings& r, std::size_t lens) {
  std::vector<std::int32_t> ids;
  each_listed(all, r, lens, [&](std::int32_t id, float) { ids.push_back(id); });
  return sorted_once(std::move(ids));
}

std::vector<std::int32_t> likeliest_tokens(const trace_result& all, std::size_t most) {
  std::unordered_map<std::int32_t, float> best;  // log-probability of each
  for (const trace_prompt& p : all.prompts)
    for (const trace_reading& r : p.readings)
      for (std::size_t lens = 0; lens < all.lenses.size(); ++lens)
        each_listed(all, *r.result, lens, [&](std::int32_t id, float logprob) {
          const auto [at, added] = best.emplace(id, logprob);
          if (!added) at->second = std::max(at->second, logprob);
        });
  std::vector<std::pair<float, std::int32_t>> order;  // the likeliest first, of equal ones the smaller id
  for (const auto& [id, logprob] : best) order.emplace_back(-logprob, id);
  std::sort(order.begin(), order.end());
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < std::min(most, order.size()); ++i) ids.push_back(order[i].second);
  for (const std::int32_t id : all.targets)
    if (id >= 0) ids.push_back(id);
  return sorted_once(std::move(ids));
}

}  // namespace depthlens
