// SPDX-License-Identifier: Apache-2.0
#include "engine/evaluator.hpp"

#include "depthlens/abi_error.hpp"
#include "engine/prefix_forest.hpp"

#include <tbb/parallel_for_each.h>

#include <algorithm>
#include <limits>
#include <numeric>

namespace depthlens {
namespace {

// Wishes gathered by node: targets united, and who is waiting.
struct node_wishes {
  std::int32_t node;
  std::vector<std::int32_t> targets;
  std::vector<std::size_t> waiting;
};

std::vector<node_wishes> gather_by_node(const prefix_forest& forest, std::span<const read_wish> wishes) {
  std::vector<std::pair<std::int32_t, std::size_t>> at(wishes.size());
  for (std::size_t i = 0; i < wishes.size(); ++i)
    at[i] = {forest.node(wishes[i].sequence, wishes[i].position), i};
  std::sort(at.begin(), at.end());
  std::vector<node_wishes> out;
  for (const auto& [node, wish] : at) {
    if (out.empty() || out.back().node != node) out.push_back({node, {}, {}});
    out.back().targets.insert(out.back().targets.end(), wishes[wish].targets.begin(), wishes[wish].targets.end());
    out.back().waiting.push_back(wish);
  }
  for (node_wishes& n : out) {
    std::sort(n.targets.begin(), n.targets.end());
    n.targets.erase(std::unique(n.targets.begin(), n.targets.end()), n.targets.end());
  }
  return out;
}

// The arrays of one forward call; owns what dlens_batch and dlens_readings point to.
struct call {
  std::vector<std::int32_t> tokens, parent, position, targets, final_top;
  std::vector<std::uint32_t> read_token, target_begin;
  std::vector<lens_result> out;  // one for each lens, over all reads

  call(const prefix_forest& f, const pack& p, std::span<const node_wishes> reads) {
    const auto above = static_cast<std::int32_t>(p.ancestors.size());
    for (std::int32_t i = 0; i < above; ++i) add(f, p.ancestors[i], i - 1);
    for (std::int32_t n = p.begin; n < p.end; ++n) {
      const std::int32_t up = f.parent[n];
      // An ancestor before the pack is the ancestor of its first node at that position.
      add(f, n, up < 0 ? -1 : up >= p.begin ? above + (up - p.begin) : f.position[up]);
    }
    target_begin.push_back(0);
    for (const node_wishes& r : reads) {
      read_token.push_back(static_cast<std::uint32_t>(above + (r.node - p.begin)));
      targets.insert(targets.end(), r.targets.begin(), r.targets.end());
      target_begin.push_back(static_cast<std::uint32_t>(targets.size()));
    }
    final_top.resize(reads.size());
  }

 private:
  void add(const prefix_forest& f, std::int32_t node, std::int32_t up) {
    tokens.push_back(f.token[node]);
    parent.push_back(up);
    position.push_back(f.position[node]);
  }
};

lens_result make_buffers(std::size_t P, std::size_t K, std::size_t L, std::size_t top_k) {
  lens_result r;
  r.rank.resize(K * L);
  r.ties.resize(K * L);
  r.logprob.resize(K * L);
  r.entropy.resize(P * L);
  r.kl.resize(P * L);
  r.top.resize(P * L * top_k);
  r.top_logprob.resize(P * L * top_k);
  return r;
}

// The part of one read out of the results of a whole call.
lens_result cut_out(const lens_result& all, std::size_t read, std::size_t k0, std::size_t k1, std::size_t L,
                    std::size_t top_k) {
  const auto part = [](const auto& v, std::size_t from, std::size_t to) {
    return std::decay_t<decltype(v)>(v.begin() + static_cast<std::ptrdiff_t>(from),
                                     v.begin() + static_cast<std::ptrdiff_t>(to));
  };
  return {part(all.rank, k0 * L, k1 * L),
          part(all.ties, k0 * L, k1 * L),
          part(all.logprob, k0 * L, k1 * L),
          part(all.entropy, read * L, (read + 1) * L),
          part(all.kl, read * L, (read + 1) * L),
          part(all.top, read * L * top_k, (read + 1) * L * top_k),
          part(all.top_logprob, read * L * top_k, (read + 1) * L * top_k)};
}

}  // namespace

evaluator::evaluator(const dlens_model* model, std::vector<active_lens> lenses, options o)
    : model_(model), lenses_(std::move(lenses)), options_(o) {}

evaluation_counts evaluator::run(std::span<const std::vector<std::int32_t>> sequences,
                                 std::span<const read_wish> wishes, const on_result& done) const {
  // Nothing behind the last position read of a sequence is needed.
  std::vector<std::size_t> length(sequences.size(), 0);
  for (const read_wish& w : wishes) {
    if (w.sequence >= sequences.size() || w.position >= sequences[w.sequence].size())
      fail(status::internal, "a position outside its sequence was asked for");
    length[w.sequence] = std::max<std::size_t>(length[w.sequence], w.position + 1);
  }
  std::vector<std::span<const std::int32_t>> needed(sequences.size());
  for (std::size_t b = 0; b < sequences.size(); ++b) needed[b] = std::span(sequences[b]).first(length[b]);

  const prefix_forest forest = build_forest(needed);
  const std::vector<node_wishes> reads = gather_by_node(forest, wishes);

  // Small runs are cut finer, so that every thread has several packs.
  const std::size_t advised = options_.pack_tokens ? options_.pack_tokens : model_->info(model_)->pack_tokens;
  const std::size_t share = forest.size() / (4 * static_cast<std::size_t>(options_.threads)) + 1;
  const std::vector<pack> packs = cut_packs(forest, std::min(advised, std::max<std::size_t>(share, 256)));

  tbb::parallel_for_each(packs, [&](const pack& p) {
    const auto lower = [&](std::int32_t node) {
      return std::lower_bound(reads.begin(), reads.end(), node,
                              [](const node_wishes& r, std::int32_t n) { return r.node < n; });
    };
    const std::span<const node_wishes> mine(lower(p.begin), lower(p.end));
    if (mine.empty()) return;
    call c(forest, p, mine);
    std::vector<const dlens_lens*> lenses;
    std::vector<dlens_readings> views;
    std::vector<const dlens_readings*> view_pointers;
    for (const active_lens& l : lenses_) {
      lenses.push_back(l.lens);
      lens_result& b = c.out.emplace_back(make_buffers(mine.size(), c.targets.size(), l.n_layers, options_.top_k));
      views.push_back({sizeof(dlens_readings), 0, b.rank.data(), b.ties.data(), b.logprob.data(), b.entropy.data(),
                       b.kl.data(), b.top.data(), b.top_logprob.data()});
    }
    for (const dlens_readings& v : views) view_pointers.push_back(&v);
    const dlens_batch batch{sizeof(dlens_batch),
                            static_cast<std::uint32_t>(c.tokens.size()),
                            c.tokens.data(),
                            c.parent.data(),
                            c.position.data(),
                            static_cast<std::uint32_t>(mine.size()),
                            options_.top_k,
                            c.read_token.data(),
                            c.target_begin.data(),
                            c.targets.data(),
                            static_cast<std::uint32_t>(lenses.size()),
                            0,
                            lenses.data()};
    checked_call(model_->forward, model_, &batch, c.final_top.data(), view_pointers.data());

    for (std::size_t r = 0; r < mine.size(); ++r) {
      auto result = std::make_shared<node_result>();
      result->final_top = c.final_top[r];
      result->targets = mine[r].targets;
      for (std::size_t l = 0; l < lenses_.size(); ++l)
        result->lenses.push_back(cut_out(c.out[l], r, c.target_begin[r], c.target_begin[r + 1], lenses_[l].n_layers,
                                         options_.top_k));
      for (const std::size_t wish : mine[r].waiting) done(wish, result);
    }
  });

  evaluation_counts counts;
  counts.tokens_given = std::accumulate(length.begin(), length.end(), std::uint64_t{0});
  counts.distinct_prefixes = forest.size();
  for (const pack& p : packs) counts.tokens_computed += p.size();
  counts.positions_read = reads.size();
  return counts;
}

}  // namespace depthlens
