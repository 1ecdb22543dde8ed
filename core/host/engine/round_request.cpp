// SPDX-License-Identifier: Apache-2.0
#include "engine/round_request.hpp"

#include "depthlens/base/abi_error.hpp"
#include "model/token_ids.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <span>
#include <utility>

namespace depthlens {
namespace {

constexpr std::uint32_t most_top = 64;

}  // namespace

// What a plugin asks for is its own doing, whatever code it makes of the host's answer.
template <class Function>
dlens_status round_request::answer(const dlens_request* r, dlens_error* e, Function&& fn) noexcept {
  auto& self = *static_cast<round_request*>(r->self);
  return guarded(e, [&] {
    try {
      fn(self);
    } catch (const error& refusal) {
      self.refused_ = refusal.what();
      fail(status::internal, refusal.what());
    }
  });
}

round_request::round_request(round& to, const model_shape& model) : to_(to), model_(model) {
  c_ = {.size = sizeof c_,
        .reserved = 0,
        .self = this,
        .add_sequence = &add_sequence,
        .add_read = &add_read,
        .add_changed = &add_changed,
        .add_generation = &add_generation};
}

std::uint32_t round_request::add(const std::int32_t* ids, std::uint64_t n) {
  if (ids == nullptr && n > 0) fail(status::internal, "a sequence of ", n, " ids has none");
  check_ids({ids, n}, model_.vocab_size);
  to_.sequences.emplace_back(ids, ids + n);
  if (!to_.edits.empty()) to_.edits.emplace_back();
  return static_cast<std::uint32_t>(to_.sequences.size() - 1);
}

dlens_status round_request::add_sequence(const dlens_request* r, const std::int32_t* ids, std::uint64_t n,
                                         std::uint32_t* sequence, dlens_error* e) noexcept {
  return answer(r, e, [&](round_request& self) { *sequence = self.add(ids, n); });
}

state_edit round_request::edit_of(const dlens_change* change, std::uint64_t n) const {
  if (change == nullptr || !DLENS_HAS(dlens_change, change, seed))
    fail(status::internal, "a change is incomplete");
  refuse_unknown_members(*change, "a change");
  const dlens_change& c = *change;
  if (c.layer >= model_.n_layers)
    fail(status::internal, "a state before block ", c.layer, " is to be changed; the model has blocks 0..",
         model_.n_layers - 1);
  if (c.position >= n) fail(status::internal, "position ", c.position, " is outside its sequence");
  if ((c.how != DLENS_EDIT_REPLACE && c.how != DLENS_EDIT_ADD) || (c.flags & ~DLENS_CHANGE_RANDOM) != 0)
    fail(status::internal, "a change is of an unknown kind");
  if ((c.n_places == 0) != (c.vector != nullptr) || (c.n_places > 0 && c.places == nullptr))
    fail(status::internal, "a change has either places or a vector");
  state_edit out{.position = static_cast<std::uint32_t>(c.position),
                 .layer = c.layer,
                 .adds = c.how == DLENS_EDIT_ADD,
                 .from = {},
                 .random = (c.flags & DLENS_CHANGE_RANDOM) != 0,
                 .seed = c.seed,
                 .vector = {}};
  if (c.vector) out.vector.assign(c.vector, c.vector + model_.d_model);
  if (!std::all_of(out.vector.begin(), out.vector.end(), [](float v) { return std::isfinite(v); }))
    fail(status::internal, "the vector of a change is not finite");
  for (const dlens_place* p : std::span(c.places, c.n_places)) {
    if (p == nullptr || !DLENS_HAS(dlens_place, p, position)) fail(status::internal, "a place is incomplete");
    refuse_unknown_members(*p, "a place");
    if (p->sequence >= to_.sequences.size() || p->position >= to_.sequences[p->sequence].size())
      fail(status::internal, "a state is taken from position ", p->position,
           ", which is outside its sequence");
    if (!to_.edits.empty() && !to_.edits[p->sequence].empty())
      fail(status::internal, "a state is taken from a sequence that is changed itself");
    out.from.push_back({p->sequence, static_cast<std::uint32_t>(p->position)});
  }
  return out;
}

dlens_status round_request::add_changed(const dlens_request* r, const std::int32_t* ids, std::uint64_t n,
                                        const dlens_change* const* changes, std::uint64_t n_changes,
                                        std::uint32_t* sequence, dlens_error* e) noexcept {
  return answer(r, e, [&](round_request& self) {
    if (changes == nullptr && n_changes > 0) fail(status::internal, "the changes of a sequence are missing");
    std::vector<state_edit> edits;
    std::set<std::pair<std::uint32_t, std::uint32_t>> places;
    for (const dlens_change* c : std::span(changes, n_changes)) {
      edits.push_back(self.edit_of(c, n));
      if (!places.insert({edits.back().position, edits.back().layer}).second)
        fail(status::internal, "a position is changed twice before block ", edits.back().layer);
    }
    self.to_.edits.resize(self.to_.sequences.size());
    *sequence = self.add(ids, n);
    if (self.to_.edits.empty()) self.to_.edits.emplace_back();
    self.to_.edits.back() = std::move(edits);
  });
}

dlens_status round_request::add_generation(const dlens_request* r, const dlens_generation* generation,
                                           std::uint32_t* number, dlens_error* e) noexcept {
  return answer(r, e, [&](round_request& self) {
    const dlens_generation* g = generation;
    if (g == nullptr || !DLENS_HAS(dlens_generation, g, layer))
      fail(status::internal, "a generation is incomplete");
    refuse_unknown_members(*g, "a generation");
    if (g->ids == nullptr || g->n_ids == 0) fail(status::internal, "a generation goes on from no token");
    if (g->n_tokens == 0 || g->n_tokens > most_generated)
      fail(status::internal, "a generation of ", g->n_tokens, " tokens; 1 to ", most_generated,
           " are wanted");
    if (g->lens > self.model_.n_lenses || g->layer > self.model_.n_layers)
      fail(status::internal, "a generation is by lens ", g->lens, " at layer ", g->layer,
           ", which the run does not have");
    check_ids({g->ids, g->n_ids}, self.model_.vocab_size);
    *number = static_cast<std::uint32_t>(self.to_.generations.size());
    self.to_.generations.push_back({.ids = {g->ids, g->ids + g->n_ids},
                                    .n_tokens = g->n_tokens,
                                    .lens = static_cast<std::int32_t>(g->lens) - 1,
                                    .layer = static_cast<std::int32_t>(g->layer)});
  });
}

void round_request::check(const dlens_read* read) const {
  if (read == nullptr || !DLENS_HAS(dlens_read, read, flags)) fail(status::internal, "a read is incomplete");
  refuse_unknown_members(*read, "a read");
  if (read->sequence >= to_.sequences.size() || read->position >= to_.sequences[read->sequence].size())
    fail(status::internal, "position ", read->position, " is outside its sequence");
  if (read->targets == nullptr && read->n_targets > 0)
    fail(status::internal, "a read of ", read->n_targets, " targets has none");
  for (const std::int32_t id : std::span(read->targets, read->n_targets))
    if (id >= static_cast<std::int64_t>(model_.vocab_size))
      fail(status::internal, "target id ", id, " is outside the vocabulary of ", model_.vocab_size, " rows");
  if ((read->flags & ~(DLENS_READ_HIDDEN | DLENS_READ_OUTPUT)) != 0)
    fail(status::internal, "a read has the unknown flag ", read->flags);
  if (read->n_top > most_top)
    fail(status::internal, "the ", read->n_top, " likeliest tokens are wanted; ", most_top, " at most are");
}

dlens_status round_request::add_read(const dlens_request* r, const dlens_read* read, std::uint32_t* number,
                                     dlens_error* e) noexcept {
  return answer(r, e, [&](round_request& self) {
    self.check(read);
    const bool has_against = DLENS_HAS(dlens_read, read, against);
    *number = static_cast<std::uint32_t>(self.to_.reads.size());
    self.to_.reads.push_back({.sequence = read->sequence,
                              .position = static_cast<std::uint32_t>(read->position),
                              .targets = {read->targets, read->targets + read->n_targets},
                              .top_k = std::max(read->n_top, 1u),
                              .hidden = (read->flags & DLENS_READ_HIDDEN) != 0,
                              .output_only = (read->flags & DLENS_READ_OUTPUT) != 0,
                              .against = has_against ? static_cast<std::int32_t>(read->against) - 1 : -1});
    self.to_.n_top.push_back(read->n_top);
  });
}

void round_request::complete() const {
  const auto is_plain = [&](const read_request& r) {
    return r.against < 0 && (to_.edits.empty() || to_.edits[r.sequence].empty());
  };
  for (const read_request& r : to_.reads) {
    for (const std::int32_t target : r.targets)
      if (target < -1 &&
          (read_of_target(target) >= to_.reads.size() || !is_plain(to_.reads[read_of_target(target)]) ||
           to_.reads[read_of_target(target)].output_only != r.output_only))
        fail(status::internal, "target id ", target, " names no read of its kind of an unchanged sequence");
    if (r.against < 0) continue;
    const auto other = static_cast<std::size_t>(r.against);
    if (other >= to_.reads.size() || !is_plain(to_.reads[other]) ||
        to_.reads[other].output_only != r.output_only)
      fail(status::internal, "a read is held against number ", r.against,
           ", which is no read of its kind of an unchanged sequence");
  }
}

}  // namespace depthlens
