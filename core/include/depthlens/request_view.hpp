// SPDX-License-Identifier: Apache-2.0
// The C++ face of dlens_request: what a study asks for in plan. Part of experiment.hpp.
#pragma once

#include "depthlens/abi/experiment.h"
#include "depthlens/base/abi_error.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace depthlens {

// The C++ face of dlens_change.
struct state_change {
  std::uint64_t position = 0;
  std::uint32_t layer = 0;
  std::uint32_t how = DLENS_EDIT_REPLACE;
  struct place {
    std::uint32_t sequence = 0;
    std::uint64_t position = 0;
  };
  std::vector<place> from = {};  // the mean of these states
  bool random = false;           // a direction drawn by `seed`, as long as that
  std::uint64_t seed = 0;
  std::vector<float> vector = {};  // (D) where nothing is in `from`
};

class request_view {
 public:
  explicit request_view(const dlens_request* r) : r_(r) {}
  std::uint32_t add_sequence(std::span<const std::int32_t> ids) const {
    std::uint32_t sequence = 0;
    checked_call(r_->add_sequence, r_, ids.data(), ids.size(), &sequence);
    return sequence;
  }
  // targets: ids, -1 = the model's own final top-1; may be none. n_top: how many of each layer's likeliest
  // tokens are wanted, 64 at most. flags: DLENS_READ_HIDDEN, DLENS_READ_OUTPUT. against: a read whose final
  // output stands for the one here; -1 = none. Returns the number of the read.
  std::uint32_t add_read(std::uint32_t sequence, std::uint64_t position,
                         std::span<const std::int32_t> targets, std::uint32_t n_top = 0,
                         std::uint32_t flags = 0, std::int64_t against = -1) const {
    const dlens_read read = {.size = sizeof read,
                             .sequence = sequence,
                             .position = position,
                             .targets = targets.data(),
                             .n_targets = targets.size(),
                             .n_top = n_top,
                             .flags = flags,
                             .against = static_cast<std::uint32_t>(against + 1),
                             .reserved = 0};
    std::uint32_t number = 0;
    checked_call(r_->add_read, r_, &read, &number);
    return number;
  }
  // Errors: status::unavailable for a host that changes no states.
  std::uint32_t add_changed(std::span<const std::int32_t> ids, std::span<const state_change> changes) const {
    if (!DLENS_HAS(dlens_request, r_, add_changed))
      fail(status::unavailable, "this host does not change states");
    std::vector<dlens_place> places;
    for (const state_change& c : changes)
      for (const state_change::place& p : c.from)
        places.push_back({sizeof(dlens_place), p.sequence, p.position});
    std::vector<const dlens_place*> pointers;
    for (const dlens_place& p : places) pointers.push_back(&p);
    std::vector<dlens_change> made;
    const dlens_place* const* next = pointers.data();
    for (const state_change& c : changes) {
      made.push_back({.size = sizeof(dlens_change),
                      .layer = c.layer,
                      .position = c.position,
                      .how = c.how,
                      .flags = c.random ? std::uint32_t{DLENS_CHANGE_RANDOM} : 0,
                      .places = next,
                      .n_places = c.from.size(),
                      .vector = c.vector.empty() ? nullptr : c.vector.data(),
                      .seed = c.seed});
      next += c.from.size();
    }
    std::vector<const dlens_change*> list;
    for (const dlens_change& c : made) list.push_back(&c);
    std::uint32_t sequence = 0;
    checked_call(r_->add_changed, r_, ids.data(), ids.size(), list.data(), list.size(), &sequence);
    return sequence;
  }

  // What says the next token of a generation: a lens of the run at a layer; nothing = the model itself.
  struct speaker {
    std::uint32_t lens, layer;
  };
  // Returns its number; tops_view::generated has the tokens in the next round. Errors: status::unavailable
  // for a host that generates nothing.
  std::uint32_t add_generation(std::span<const std::int32_t> ids, std::uint32_t n_tokens,
                               std::optional<speaker> by = std::nullopt) const {
    if (!DLENS_HAS(dlens_request, r_, add_generation))
      fail(status::unavailable, "this host generates no text");
    const dlens_generation asked = {.size = sizeof asked,
                                    .n_tokens = n_tokens,
                                    .ids = ids.data(),
                                    .n_ids = ids.size(),
                                    .lens = by ? by->lens + 1 : 0,
                                    .layer = by ? by->layer : 0};
    std::uint32_t number = 0;
    checked_call(r_->add_generation, r_, &asked, &number);
    return number;
  }

 private:
  const dlens_request* r_;
};

}  // namespace depthlens
