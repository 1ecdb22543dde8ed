// SPDX-License-Identifier: Apache-2.0
// Causal attention over the token tree. Walks the tokens depth first with one pair of panels that hold the
// keys and values of the current path by position: no keys are gathered, a token's row never sees another
// branch, and keys of the pack's prefix (kept_path.hpp) are at their places like any others.
#pragma once

#include "kept_path.hpp"
#include "kernels/kernels.hpp"
#include "workspace.hpp"

#include "depthlens/backend/token_tree.hpp"

#include <cstdint>
#include <vector>

namespace depthlens::cpu {

struct head_shape {
  std::size_t n_heads, n_kv_heads, head_dim, value_dim;
  std::size_t window;  // a token sees itself and the window - 1 ancestors before it; 0 = all
  float softcap;       // of the scores; 0 = none
  const float* sinks;  // (n_heads), nullptr = none
  const float* bias;   // (n_heads, n_positions), see attend_job; nullptr = none
  std::size_t bias_end;

  std::size_t kv_width() const { return n_kv_heads * (head_dim + value_dim); }
};

// The tokens that ask, one for each row of q, in tree order.
struct query_rows {
  std::vector<std::int32_t> position;   // (rows)
  std::vector<std::uint8_t> rope_long;  // (rows), or empty as that of the tree
  std::vector<std::uint32_t> begin;     // (runs + 1) rows of each run of the tree
};

// Where rows are turned to: of each its position and, unless that is nullptr, its dlens_batch.rope_long.
struct row_places {
  const std::int32_t* position;
  const std::uint8_t* rope_long;
};
// Of some rows of a tree or of query_rows.
template <class Rows>
row_places places_of(const Rows& all, row_range some) {
  return {all.position.data() + some.first,
          all.rope_long.empty() ? nullptr : all.rope_long.data() + some.first};
}

// rows: tokens in tree order, ascending.
query_rows make_query_rows(const token_tree& tree, const std::vector<std::uint32_t>& tokens);
query_rows make_query_rows(const token_tree& tree);

// prefix: positions 0..tree.n_prefix-1 of the pack's prefix. Rows of kv and of the prefix: keys (n_kv_heads,
// head_dim), then values (n_kv_heads, value_dim). q (rows, n_heads, head_dim), scaled. out (rows, n_heads,
// value_dim); q itself where both are as wide.
void attend_tree(const kernel_table& kernels, const head_shape& shape, const token_tree& tree,
                 const std::vector<kept_rows>& prefix, const float_rows& kv, const query_rows& rows,
                 const float_rows& q, const float_rows& out, workspace& scratch);

}  // namespace depthlens::cpu
