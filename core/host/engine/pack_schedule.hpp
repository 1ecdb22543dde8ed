// SPDX-License-Identifier: Apache-2.0
// In which order packs may start: one that continues a kept path after the pack that keeps it, and never more
// kept tokens at a time than allowed. Packs that keep a path go first, as others wait for them, in order of
// their numbers; among the others the heaviest goes first, so that small ones fill the end. Not thread-safe.
//
// It cannot get stuck: when every pack before the next keeper is done, what is still held are the paths that
// it continues itself, and cut_packs lets it keep a path only if those and its own fit.
#pragma once

#include "engine/packs.hpp"

#include <cstddef>
#include <cstdint>
#include <queue>
#include <span>
#include <utility>
#include <vector>

namespace depthlens {

class pack_schedule {
 public:
  // kept_tokens: as packs were cut with.
  pack_schedule(std::span<const pack> packs, std::size_t kept_tokens);

  // The number of a pack to start now; -1 = none before another one is finished.
  std::int32_t take();
  // How many packs take would give.
  std::size_t ready() const;
  // Returns the packs whose kept path nobody continues any more.
  std::vector<std::int32_t> finish(std::int32_t number);

  std::size_t most_kept_tokens() const { return most_; }  // held at a time so far

 private:
  bool may_keep(std::size_t keeper, std::size_t held) const;
  void release(std::int32_t number, std::vector<std::int32_t>& freed);

  std::span<const pack> packs_;
  const std::size_t allowed_;
  std::vector<std::uint32_t> users_;                // of each pack's kept path
  std::vector<std::vector<std::int32_t>> waiting_;  // packs that keep nothing and continue it
  std::vector<char> computed_;
  std::vector<std::int32_t> keepers_;
  std::size_t next_keeper_ = 0, held_ = 0, most_ = 0;
  std::priority_queue<std::pair<double, std::int32_t>> others_;  // weight, minus the number
};

}  // namespace depthlens
