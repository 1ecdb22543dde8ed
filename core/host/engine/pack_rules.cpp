// SPDX-License-Identifier: Apache-2.0
#include "engine/pack_rules.hpp"

#include "model/memory_plan.hpp"

#include <algorithm>

namespace depthlens {
namespace {

constexpr std::uint64_t reading_bytes = 192;  // of what is known of a layer read, in the backend and here

}  // namespace

pack_rules combine(const work_rules& wishes, const backend_advice& advice, const read_cost& cost) {
  const std::uint64_t bytes = wishes.kept_bytes ? wishes.kept_bytes : kept_bytes_for(advice.weight_bytes);
  const bool keeps = wishes.sharing && advice.kept_token_bytes > 0;
  return {.pack_tokens = wishes.pack_tokens ? wishes.pack_tokens : advice.pack_tokens,
          .kept_tokens = keeps ? bytes / advice.kept_token_bytes : 0,
          .threads = advice.calls > 0 ? std::min(wishes.threads, advice.calls) : wishes.threads,
          .read_weight = cost.tokens(),
          .sharing = wishes.sharing,
          .wave_bytes = advice.stages > 0 ? std::max<std::uint64_t>(wishes.wave_bytes, 1) : 0,
          .token_bytes = advice.token_bytes,
          .read_bytes = advice.read_bytes + static_cast<std::uint64_t>(cost.layers) * reading_bytes,
          .long_positions = wishes.long_positions,
          .fewest_tokens = wishes.fewest_tokens};
}

}  // namespace depthlens
