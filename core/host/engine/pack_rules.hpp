// SPDX-License-Identifier: Apache-2.0
// How work is divided: what the user wants, combined with what the backend advises.
#pragma once

#include "model/backend_advice.hpp"
#include "model/work_rules.hpp"

#include <cstddef>
#include <cstdint>

namespace depthlens {

struct pack_rules {
  std::size_t pack_tokens = 1024;  // of a pack, about
  // Most tokens whose keys and values are kept for other packs at a time; 0 = none are, and ancestors that
  // lie in another pack are computed again.
  std::size_t kept_tokens = 0;
  unsigned threads = 1;    // that compute packs, each in a call of its own; with more, packs get smaller
                           // towards the end, and trunks are packs of their own
  double read_weight = 8;  // what reading all lenses at a position costs, in tokens
  bool sharing = true;     // false: every sequence is computed by itself
  // Where weights are streamed, packs go through the model in waves whose states take no more than that; 0 =
  // all at once.
  std::uint64_t wave_bytes = 0;
  std::uint64_t token_bytes = 0, read_bytes = 0;  // of the states of a token, and of one that is read besides
  std::size_t pack_reads = 0;                     // at most in a pack, about; 0 = as many as come
  std::uint32_t long_positions = 0;  // sequences of more tokens are of the long form; 0 = none is
  std::size_t fewest_tokens = 0;     // of a pack where the work is cut finer for the threads
};

// What a read position takes: the model's own output and so many layers of lenses, each so many tokens.
struct read_cost {
  std::size_t layers = 0;
  double row_weight = 0.25;

  double tokens() const { return (1 + static_cast<double>(layers)) * row_weight; }
};

// The one place where a wish of 0 becomes the backend's number.
pack_rules combine(const work_rules& wishes, const backend_advice& advice, const read_cost& cost);

}  // namespace depthlens
