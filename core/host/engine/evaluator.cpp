// SPDX-License-Identifier: Apache-2.0
#include "engine/evaluator.hpp"

#include "depthlens/abi_error.hpp"
#include "engine/prefix_forest.hpp"

#include <tbb/parallel_for_each.h>

#include <algorithm>
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

  // P reads.
  void forward(const dlens_model* model, const std::vector<active_lens>& active, std::size_t P,
               std::uint32_t top_k) {
    std::vector<const dlens_lens*> lenses;
    std::vector<dlens_readings> views;
    std::vector<const dlens_readings*> view_pointers;
    for (const active_lens& l : active) {
      lenses.push_back(l.lens);
      lens_result& b = out.emplace_back(make_buffers(P, targets.size(), l.n_layers, top_k));
      views.push_back({sizeof(dlens_readings), 0, b.rank.data(), b.ties.data(), b.logprob.data(),
                       b.entropy.data(), b.kl.data(), b.top.data(), b.top_logprob.data()});
    }
    for (const dlens_readings& v : views) view_pointers.push_back(&v);
    const dlens_batch batch{sizeof(dlens_batch),
                            static_cast<std::uint32_t>(tokens.size()),
                            tokens.data(),
                            parent.data(),
                            position.data(),
                            static_cast<std::uint32_t>(P),
                            top_k,
                            read_token.data(),
                            target_begin.data(),
                            targets.data(),
                            static_cast<std::uint32_t>(lenses.size()),
                            0,
                            lenses.data()};
    checked_call(model->forward, model, &batch, final_top.data(), view_pointers.data());
  }

  std::shared_ptr<const node_result> result(std::size_t r, const node_wishes& wishes,
                                            const std::vector<active_lens>& active, std::size_t top_k) const {
    auto one = std::make_shared<node_result>();
    one->final_top = final_top[r];
    one->targets = wishes.targets;
    for (std::size_t l = 0; l < active.size(); ++l)
      one->lenses.push_back(
          cut_out(out[l], r, target_begin[r], target_begin[r + 1], active[l].n_layers, top_k));
    return one;
  }

 private:
  void add(const prefix_forest& f, std::int32_t node, std::int32_t up) {
    tokens.push_back(f.token[node]);
    parent.push_back(up);
    position.push_back(f.position[node]);
  }
};

// What is to be computed and read: the prefix forest of the needed parts of the sequences, its packs and its reads.
struct work {
  prefix_forest forest;
  std::vector<node_wishes> reads;  // in order of node
  std::vector<pack> packs;
  evaluation_counts counts;

  work(std::span<const std::vector<std::int32_t>> sequences, std::span<const read_wish> wishes,
       std::size_t pack_tokens, unsigned threads) {
    // Nothing behind the last position read of a sequence is needed.
    std::vector<std::size_t> length(sequences.size(), 0);
    for (const read_wish& w : wishes) {
      if (w.sequence >= sequences.size() || w.position >= sequences[w.sequence].size())
        fail(status::internal, "a position outside its sequence was asked for");
      length[w.sequence] = std::max<std::size_t>(length[w.sequence], w.position + 1);
    }
    std::vector<std::span<const std::int32_t>> needed(sequences.size());
    for (std::size_t b = 0; b < sequences.size(); ++b) needed[b] = std::span(sequences[b]).first(length[b]);
    forest = build_forest(needed);
    reads = gather_by_node(forest, wishes);
    // Small runs are cut finer, so that every thread has several packs.
    const std::size_t share = forest.size() / (4 * static_cast<std::size_t>(threads)) + 1;
    packs = cut_packs(forest, std::min(pack_tokens, std::max<std::size_t>(share, 256)));
    counts.tokens_given = std::accumulate(length.begin(), length.end(), std::uint64_t{0});
    counts.distinct_prefixes = forest.size();
    for (const pack& p : packs) counts.tokens_computed += p.size();
    counts.positions_read = reads.size();
  }

  std::span<const node_wishes> reads_of(const pack& p) const {
    const auto lower = [&](std::int32_t node) {
      return std::lower_bound(reads.begin(), reads.end(), node,
                              [](const node_wishes& r, std::int32_t n) { return r.node < n; });
    };
    return {lower(p.begin), lower(p.end)};
  }
};

}  // namespace

evaluation_counts count_work(std::span<const std::vector<std::int32_t>> sequences,
                             std::span<const read_wish> wishes, std::size_t pack_tokens, unsigned threads) {
  return work(sequences, wishes, pack_tokens, threads).counts;
}

evaluator::evaluator(const dlens_model* model, std::vector<active_lens> lenses, options o)
    : model_(model), lenses_(std::move(lenses)), options_(o) {}

evaluation_counts evaluator::run(std::span<const std::vector<std::int32_t>> sequences,
                                 std::span<const read_wish> wishes, const on_result& done) const {
  const std::size_t advised = options_.pack_tokens ? options_.pack_tokens : model_->info(model_)->pack_tokens;
  const work w(sequences, wishes, advised, options_.threads);
  tbb::parallel_for_each(w.packs, [&](const pack& p) {
    const auto mine = w.reads_of(p);
    if (mine.empty()) return;
    call c(w.forest, p, mine);
    c.forward(model_, lenses_, mine.size(), options_.top_k);
    for (std::size_t r = 0; r < mine.size(); ++r) {
      const std::shared_ptr<const node_result> result = c.result(r, mine[r], lenses_, options_.top_k);
      for (const std::size_t wish : mine[r].waiting) done(wish, result);
    }
  });
  return w.counts;
}

}  // namespace depthlens
