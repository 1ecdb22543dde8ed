// SPDX-License-Identifier: Apache-2.0
// Requests made by chance, the evaluator's answers, and whether they are what the backend says of each
// request's own path.
#pragma once

#include "engine/evaluator.hpp"
#include "host/fake_backend.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace depthlens::test {

inline constexpr std::uint32_t kVocabulary = 50;
using sequence = std::vector<std::int32_t>;
using results = std::vector<std::shared_ptr<const site_readings>>;

struct wishes_of_a_test {
  std::vector<sequence> sequences;
  std::vector<read_request> requests;
};

inline wishes_of_a_test random_wishes(std::uint32_t seed) {
  std::mt19937 random(seed);
  wishes_of_a_test out;
  out.sequences.resize(60);
  for (sequence& s : out.sequences) {
    s.resize(1 + random() % 30);
    for (std::int32_t& id : s) id = static_cast<std::int32_t>(random() % 3);
  }
  for (int i = 0; i < 300; ++i) {
    const auto b = static_cast<std::uint32_t>(random() % out.sequences.size());
    read_request w{b, static_cast<std::uint32_t>(random() % out.sequences[b].size()), {}};
    for (std::uint32_t k = random() % 4; k > 0; --k)
      w.targets.push_back(static_cast<std::int32_t>(random() % (kVocabulary + 1)) - 1);
    out.requests.push_back(std::move(w));
  }
  return out;
}

struct run_options {
  std::uint32_t top_k = 1;
  unsigned threads = 1;
  std::size_t pack_tokens = 0;
  bool sharing = true;
  std::uint64_t kept_bytes = 0;
  std::uint64_t wave_bytes = 0;
  std::function<void()> check_weights;
  std::uint32_t long_positions = 0;
};

inline results run(fake_backend& backend, const std::vector<const fake_lens*>& lenses,
                   const wishes_of_a_test& w, const run_options& o, evaluation_counts* counts = nullptr) {
  std::vector<active_lens> active;
  for (const fake_lens* l : lenses) active.push_back(fake_backend::active(*l));
  const work_rules rules{.threads = o.threads,
                         .pack_tokens = o.pack_tokens,
                         .kept_bytes = o.kept_bytes,
                         .wave_bytes = o.wave_bytes,
                         .check_weights = o.check_weights,
                         .long_positions = o.long_positions,
                         .sharing = o.sharing};
  const evaluator e(backend.c(), active, rules, {.top_k = o.top_k});
  results out(w.requests.size());
  std::vector<int> calls(w.requests.size());
  std::mutex guard;
  const evaluation_counts c =
      e.run({w.sequences, w.requests}, [&](std::size_t i, std::shared_ptr<const site_readings> r) {
        const std::lock_guard lock(guard);
        out[i] = std::move(r);
        ++calls[i];
      });
  BOOST_TEST(std::all_of(calls.begin(), calls.end(), [](int n) { return n == 1; }));
  if (counts != nullptr) *counts = c;
  return out;
}

// Does the result hold what the backend says of the request's own path?
inline bool is_right(const fake_backend& backend, const std::vector<const fake_lens*>& lenses,
                     const read_request& request, const sequence& ids, const site_readings& r,
                     std::uint32_t top_k, std::uint32_t long_positions = 0) {
  const bool is_long = long_positions > 0 && ids.size() > long_positions;
  const std::uint64_t path = of_form(path_hash(std::span(ids).first(request.position + 1)), is_long);
  if (r.final_top != backend.final_top(path) || r.lenses.size() != lenses.size()) return false;
  if (!std::is_sorted(r.targets.begin(), r.targets.end())) return false;
  for (std::size_t i = 0; i < lenses.size(); ++i) {
    const std::size_t L = lenses[i]->layers.size();
    if (r.lenses[i].rank.size() != r.targets.size() * L || r.lenses[i].top.size() != L * top_k) return false;
    for (std::size_t l = 0; l < L; ++l) {
      for (const std::int32_t target : request.targets) {
        const auto k = static_cast<std::size_t>(std::find(r.targets.begin(), r.targets.end(), target) -
                                                r.targets.begin());
        if (k == r.targets.size()) return false;
        const std::uint32_t rank = backend.rank(path, *lenses[i], l, target < 0 ? r.final_top : target);
        if (r.lenses[i].rank[k * L + l] != rank || r.lenses[i].ties[k * L + l] != rank % 3) return false;
        if (r.lenses[i].logprob[k * L + l] != -static_cast<float>(rank) / 7.0F) return false;
      }
      if (r.lenses[i].entropy[l] != fake_backend::entropy(path, *lenses[i], l)) return false;
      if (top_k > 0 && r.lenses[i].top[l * top_k] != backend.guess(path, *lenses[i], l)) return false;
    }
  }
  return true;
}

}  // namespace depthlens::test
