// SPDX-License-Identifier: Apache-2.0
// What an evaluation is asked for: token sequences, the positions that are read, and what is changed on the
// way.
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <vector>

namespace depthlens {

struct read_request {
  std::uint32_t sequence;
  std::uint32_t position;
  // Ids; -1 = the model's own final top-1, -2 - r = that of request r, a plain one against nothing.
  std::vector<std::int32_t> targets;
  std::uint32_t top_k = 0;   // most likely tokens that are wanted, at least
  bool hidden = false;       // the residual stream is wanted, at all layers
  bool output_only = false;  // the final output alone is read, by no lens of the run
  // The request whose final output stands for this one's: -1 as a target, final_top and KL are of that. Both
  // are of output_only or not, and that one's sequence is a plain one. -1 = its own.
  std::int32_t against = -1;
};

// The request whose top-1 a target is, target < -1.
inline std::size_t read_of_target(std::int32_t target) { return static_cast<std::size_t>(-2 - target); }

struct state_place {
  std::uint32_t sequence, position;
  auto operator<=>(const state_place&) const = default;
};

// A change of a sequence's residual stream at a position before a block, see dlens_edit.
struct state_edit {
  std::uint32_t position, layer;
  bool adds = false;              // to the state; else it takes its place
  std::vector<state_place> from;  // of plain sequences: the mean of their states before the same block
  bool random = false;            // a direction drawn by `seed` instead, as long as that mean
  std::uint64_t seed = 0;
  std::vector<float> vector;  // (D) where nothing is in `from`
};

// Views; a sequence with edits has nodes of its own from the first of them on.
struct asked_work {
  std::span<const std::vector<std::int32_t>> sequences;  // (B)
  std::span<const read_request> requests;
  std::span<const std::vector<state_edit>> edits = {};  // (B), or empty: a plain run

  bool is_plain(std::uint32_t sequence) const { return edits.empty() || edits[sequence].empty(); }
};

}  // namespace depthlens
