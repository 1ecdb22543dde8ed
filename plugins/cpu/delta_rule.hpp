// SPDX-License-Identifier: Apache-2.0
// The gated delta rule of a block (abi/architecture.h) over a tree of tokens, in chunks of state_step
// positions. With S the state before a chunk, g_i the log decay of its token i and G_i = g_0 + .. + g_i,
//   u_i = beta_i (v_i - exp(G_i) S^T k_i) - sum over j < i of beta_i exp(G_i - G_j) (k_i . k_j) u_j
//   o_i = exp(G_i) S^T q_i + sum over j <= i of exp(G_i - G_j) (q_i . k_j) u_j
//   S after it = exp(G_end) S + sum over j of exp(G_end - G_j) k_j u_j^T
// (the delta rule by the UT transform, Yang et al. 2024, arXiv 2412.06464). Chunks are counted from position
// 0 and every sum goes by position: a token's values depend on its own path alone. u_i needs no later token,
// so that a branch which begins within a chunk takes the chunk's k, u and G from its path; and a state is
// needed at the chunks' ends alone, made when a path goes beyond one.
#pragma once

#include "kept_path.hpp"
#include "part_tools.hpp"
#include "widths.hpp"

#include "depthlens/backend/token_tree.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace depthlens::cpu {

class delta_rule {
 public:
  // prefix: what the pack continues, in `layer`; null = nothing.
  delta_rule(const part_tools& tools, const block_weights& w, const dlens_delta_rule& shape,
             const token_tree& tree, const kept_path* prefix, std::uint32_t layer);

  // The outputs of all heads, normed and gated, of all tokens: (T, values), in scratch.q. stream (T, D)
  // enters the block.
  float_rows run(const float_rows& stream);
  // Rows and states of a path in the pack whose first token is at position `begin`. tokens: ascending
  // positions. After run.
  void keep(const std::vector<std::uint32_t>& tokens, std::uint32_t begin, kept_layer& to);

 private:
  // Tokens of a run in one chunk: n of them from `token`, at `position`; the chunk begins at `chunk`.
  struct piece {
    std::size_t token, n;
    std::uint32_t position, chunk;
    std::size_t before() const { return position - chunk; }  // tokens of the chunk ahead of it
    std::size_t columns() const { return before() + n; }
  };
  struct cached_state {
    const float* last = nullptr;  // the row of the token before it
    std::vector<float> values;
  };

  void project(const float_rows& stream);
  void convolve(const piece& p);
  void run_piece(const piece& p);
  void gather_keys(const float* const* rows, std::size_t n, std::size_t key_head);
  void gather_values(const float* const* rows, std::size_t n, std::size_t head);
  void solve(const piece& p, std::size_t head, const float* state);
  void read(const piece& p, std::size_t head, const float* state);
  // Before position `at` of the current path, a multiple of state_step; null for 0.
  const float* state_before(std::uint32_t at);
  void advance(const float* const* rows, const float* from, float* to);
  void finish(const float_rows& out);

  float* row(std::size_t token) const { return rows_.row(token); }
  // Of the pack, not of its prefix.
  bool is_own(const float* row) const {
    return !std::less<>()(row, rows_.data) && std::less<>()(row, rows_.row(rows_.n));
  }
  float* keys_of(float* row) const { return row + wide_.channels; }
  float* values_of(float* row) const { return keys_of(row) + wide_.keys; }
  float* decays_of(float* row) const { return values_of(row) + wide_.values; }
  const float* keys_of(const float* row) const { return row + wide_.channels; }
  const float* values_of(const float* row) const { return keys_of(row) + wide_.keys; }
  const float* decays_of(const float* row) const { return values_of(row) + wide_.values; }
  std::size_t group() const { return r_.n_value_heads / r_.n_key_heads; }

  const part_tools& tools_;
  const block_weights& w_;
  const dlens_delta_rule& r_;
  const token_tree& tree_;
  const kept_path* prefix_;
  const std::uint32_t layer_;
  const delta_widths wide_;
  std::vector<float> conv_;           // (conv_width, channels)
  float_rows rows_, out_, gate_;      // (T, row), (T, values) twice
  std::vector<float> beta_;           // (T, heads)
  std::vector<const float*> path_;    // rows of the current path, by position
  std::vector<cached_state> states_;  // before the positions state_step, 2 state_step...
  // Of a piece and a head: q of all heads (n, keys); keys (key_dim, state_step), values and what the state
  // gives (state_step, value_dim), products of keys (n, state_step).
  std::vector<float> q_, keys_, values_, from_state_, scores_, decay_;
};

}  // namespace depthlens::cpu
