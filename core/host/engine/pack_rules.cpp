// SPDX-License-Identifier: Apache-2.0
#include "engine/pack_rules.hpp"

#include <algorithm>

namespace depthlens {

std::uint64_t kept_bytes_for(std::uint64_t weight_bytes) {
  constexpr std::uint64_t least = 96u << 20;
  return std::max(least, weight_bytes / 8);
}

pack_rules combine(const work_rules& wishes, const backend_advice& advice, const read_cost& cost) {
  const std::uint64_t bytes = wishes.kept_bytes ? wishes.kept_bytes : kept_bytes_for(advice.weight_bytes);
  const bool keeps = wishes.sharing && advice.kept_token_bytes > 0;
  return {.pack_tokens = wishes.pack_tokens ? wishes.pack_tokens : advice.pack_tokens,
          .kept_tokens = keeps ? bytes / advice.kept_token_bytes : 0,
          .threads = advice.calls > 0 ? std::min(wishes.threads, advice.calls) : wishes.threads,
          .read_weight = cost.tokens(),
          .sharing = wishes.sharing};
}

}  // namespace depthlens
