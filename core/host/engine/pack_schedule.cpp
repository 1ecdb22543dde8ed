// SPDX-License-Identifier: Apache-2.0
#include "engine/pack_schedule.hpp"

#include <algorithm>

namespace depthlens {

pack_schedule::pack_schedule(std::span<const pack> packs, std::size_t kept_tokens)
    : packs_(packs),
      allowed_(kept_tokens),
      users_(packs.size(), 0),
      waiting_(packs.size()),
      computed_(packs.size(), 0) {
  for (std::size_t i = 0; i < packs.size(); ++i) {
    const auto number = static_cast<std::int32_t>(i);
    const std::int32_t prefix = packs[i].prefix;
    if (prefix >= 0) ++users_[prefix];
    if (packs[i].keep >= 0) {
      keepers_.push_back(number);
    } else if (prefix >= 0) {
      waiting_[prefix].push_back(number);
    } else {
      others_.emplace(packs[i].weight, -number);
    }
  }
}

bool pack_schedule::may_keep(std::size_t keeper, std::size_t held) const {
  const pack& p = packs_[keepers_[keeper]];
  return (p.prefix < 0 || computed_[p.prefix]) && held + p.kept_tokens <= allowed_;
}

std::size_t pack_schedule::ready() const {
  std::size_t held = held_, n = others_.size();
  for (std::size_t k = next_keeper_; k < keepers_.size() && may_keep(k, held); ++k, ++n)
    held += packs_[keepers_[k]].kept_tokens;
  return n;
}

std::int32_t pack_schedule::take() {
  if (next_keeper_ < keepers_.size() && may_keep(next_keeper_, held_)) {
    const std::int32_t number = keepers_[next_keeper_++];
    held_ += packs_[number].kept_tokens;
    most_ = std::max(most_, held_);
    return number;
  }
  if (others_.empty()) return -1;
  const std::int32_t number = -others_.top().second;
  others_.pop();
  return number;
}

// A kept path lives as long as those that continue it, as they share its memory.
void pack_schedule::release(std::int32_t number, std::vector<std::int32_t>& freed) {
  for (; number >= 0 && --users_[number] == 0; number = packs_[number].prefix) {
    freed.push_back(number);
    held_ -= packs_[number].kept_tokens;
  }
}

std::vector<std::int32_t> pack_schedule::finish(std::int32_t number) {
  std::vector<std::int32_t> freed;
  computed_[number] = 1;
  if (packs_[number].keep < 0) {
    release(packs_[number].prefix, freed);
  } else {
    for (const std::int32_t other : waiting_[number]) others_.emplace(packs_[other].weight, -other);
  }
  return freed;
}

}  // namespace depthlens
