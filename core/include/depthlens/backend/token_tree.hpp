// SPDX-License-Identifier: Apache-2.0
// For backends: a pack's tokens in tree order, and the check of what the host handed over. Tree order is
// depth first: right behind every token come its descendants. Who walks along it and notes each token at its
// position, over what was there, has a token's ancestors at the positions before it.
// With a prefix (dlens_batch) the walk begins with the prefix's tokens noted. Tokens that continue it come in
// order of falling position: what one of them overwrites lies behind all that the next ones need.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/base/error.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace depthlens {

// Tokens begin..end-1, each the parent of the next.
struct token_run {
  std::uint32_t begin, end;
};

struct token_tree {
  std::vector<std::int32_t> token, position;  // (T) in tree order
  std::vector<std::uint8_t> rope_long;        // (T) as dlens_batch says it; empty = 0 for all
  std::vector<std::uint32_t> place;           // (T) index in the pack -> index here
  std::vector<token_run> runs;                // all tokens, in order
  std::uint32_t n_positions = 0;              // longest path
  std::uint32_t n_prefix = 0;                 // 0..n_prefix-1: positions of the prefix that the pack needs

  bool is_long(std::size_t at) const { return !rope_long.empty() && rope_long[at] != 0; }
};

struct tree_limits {
  std::uint32_t vocab_size;
  std::uint32_t max_positions;
  std::uint32_t prefix_length = 0;  // positions that the prefix holds
};

namespace detail {

inline void check_tokens(const dlens_batch& batch, const tree_limits& limits) {
  if (batch.n_tokens > 0 && (!batch.tokens || !batch.parent || !batch.position)) {
    fail(status::internal, "a pack of ", batch.n_tokens, " tokens lacks tokens, parents or positions");
  }
  if (batch.n_tokens > static_cast<std::uint32_t>(INT32_MAX))
    fail(status::internal, "a pack has too many tokens");
  for (std::uint32_t t = 0; t < batch.n_tokens; ++t) {
    const std::int32_t id = batch.tokens[t], parent = batch.parent[t], position = batch.position[t];
    if (id < 0 || static_cast<std::uint32_t>(id) >= limits.vocab_size) {
      fail(status::data, "token ", t, " of a pack has id ", id, "; the model has ids 0..",
           limits.vocab_size - 1);
    }
    if (parent < -1 || parent >= static_cast<std::int32_t>(t)) {
      fail(status::internal, "token ", t, " of a pack has parent ", parent,
           ", which does not come before it");
    }
    if (batch.rope_long &&
        (batch.rope_long[t] > 1 || (parent >= 0 && batch.rope_long[t] != batch.rope_long[parent])))
      fail(status::internal, "token ", t, " of a pack is of a prompt of another length than its parent");
    const bool continues = parent < 0 && position > 0;
    if (!continues && position != (parent < 0 ? 0 : batch.position[parent] + 1)) {
      fail(status::internal, "token ", t, " of a pack has position ", position,
           " but another number of ancestors");
    }
    if (continues && static_cast<std::uint32_t>(position) > limits.prefix_length) {
      fail(status::internal, "token ", t, " of a pack has position ", position, " but no ancestors; ",
           limits.prefix_length, " positions are kept for the pack");
    }
    if (static_cast<std::uint32_t>(position) >= limits.max_positions) {
      fail(status::data, "token ", t, " of a pack is at position ", position, "; the model has positions 0..",
           limits.max_positions - 1);
    }
  }
}

inline void check_reads(const dlens_batch& batch, const tree_limits& limits) {
  if (batch.n_reads == 0) return;
  if (!batch.read_token || !batch.target_begin) {
    fail(status::internal, "a pack with ", batch.n_reads, " reads lacks their tokens or targets");
  }
  if (batch.top_k > 64) fail(status::internal, "top_k is ", batch.top_k, "; at most 64 are kept");
  for (std::uint32_t p = 0; p < batch.n_reads; ++p) {
    if (batch.read_token[p] >= batch.n_tokens) {
      fail(status::internal, "read ", p, " is of token ", batch.read_token[p], "; the pack has ",
           batch.n_tokens);
    }
    if (batch.target_begin[p + 1] < batch.target_begin[p]) {
      fail(status::internal, "the targets of read ", p, " end before they begin");
    }
  }
  const std::uint32_t first = batch.target_begin[0], last = batch.target_begin[batch.n_reads];
  if (first != 0) fail(status::internal, "the targets of read 0 begin at ", first, ", not at 0");
  if (last > 0 && !batch.targets) fail(status::internal, "a pack with targets lacks their ids");
  for (std::uint32_t k = 0; k < last; ++k) {
    const std::int32_t id = batch.targets[k];
    if (id < -1 || (id >= 0 && static_cast<std::uint32_t>(id) >= limits.vocab_size)) {
      fail(status::data, "target ", k, " of a pack has id ", id, "; the model has ids 0..",
           limits.vocab_size - 1);
    }
  }
}

// (T) each token's place in tree order: children in the order of the pack, roots by falling position.
inline std::vector<std::uint32_t> depth_first(const dlens_batch& batch) {
  const std::uint32_t n = batch.n_tokens;
  std::vector<std::uint32_t> size(n, 1), place(n), next(n);
  for (std::uint32_t t = n; t-- > 0;) {
    if (batch.parent[t] >= 0) size[batch.parent[t]] += size[t];
  }
  std::vector<std::uint32_t> roots;
  for (std::uint32_t t = 0; t < n; ++t) {
    if (batch.parent[t] < 0) roots.push_back(t);
  }
  std::stable_sort(roots.begin(), roots.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return batch.position[a] > batch.position[b]; });
  std::uint32_t end = 0;
  for (const std::uint32_t root : roots) {
    place[root] = end;
    end += size[root];
  }
  for (std::uint32_t t = 0; t < n; ++t) {
    if (batch.parent[t] >= 0) {
      std::uint32_t& slot = next[batch.parent[t]];
      place[t] = slot;
      slot += size[t];
    }
    next[t] = place[t] + 1;
  }
  return place;
}

}  // namespace detail

// Errors: status::data for ids, parents, positions, reads and targets out of range; nothing has been computed
// then.
inline token_tree make_token_tree(const dlens_batch& batch, const tree_limits& limits) {
  detail::check_tokens(batch, limits);
  detail::check_reads(batch, limits);
  const std::uint32_t n = batch.n_tokens;
  token_tree tree;
  tree.place = detail::depth_first(batch);
  tree.token.resize(n);
  tree.position.resize(n);
  if (batch.rope_long) tree.rope_long.resize(n);
  for (std::uint32_t t = 0; t < n; ++t) {
    const std::uint32_t at = tree.place[t];
    tree.token[at] = batch.tokens[t];
    tree.position[at] = batch.position[t];
    if (batch.rope_long) tree.rope_long[at] = batch.rope_long[t];
    const auto position = static_cast<std::uint32_t>(batch.position[t]);
    tree.n_positions = std::max(tree.n_positions, position + 1);
    if (batch.parent[t] < 0) tree.n_prefix = std::max(tree.n_prefix, position);
  }
  // In this order a token one deeper than the one before it is its child.
  for (std::uint32_t t = 0; t < n; ++t) {
    if (t > 0 && tree.position[t] == tree.position[t - 1] + 1) {
      tree.runs.back().end = t + 1;
    } else {
      tree.runs.push_back({t, t + 1});
    }
  }
  return tree;
}

}  // namespace depthlens
