// SPDX-License-Identifier: Apache-2.0
// How tables of tensors are put together: lists of rules that many families share, one behind the other, and
// rules with what few of them have.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "depthlens/model/tensor_names.hpp"

namespace depthlens::families {

template <class Rules>
inline constexpr std::size_t rule_count = std::extent_v<Rules>;
template <std::size_t N>
inline constexpr std::size_t rule_count<std::array<tensor_rule, N>> = N;

template <class... Rules>
constexpr auto joined(const Rules&... parts) {
  std::array<tensor_rule, (rule_count<Rules> + ...)> out{};
  std::size_t n = 0;
  const auto append = [&](const auto& rules) {
    for (const tensor_rule& rule : rules) out[n++] = rule;
  };
  (append(parts), ...);
  return out;
}

constexpr tensor_rule in_blocks(only_in where, tensor_rule rule) {
  rule.only = where;
  return rule;
}
constexpr tensor_rule part_of(fused_in how, std::uint32_t slot, tensor_rule rule) {
  rule.fused = how;
  rule.slot = slot;
  return rule;
}
constexpr tensor_rule made_as(made how, tensor_rule rule) {
  rule.make = how;
  return rule;
}
// Only in blocks that have the tensor `stored`, or have it not.
constexpr tensor_rule with(const char* stored, tensor_rule rule) {
  rule.with = stored;
  return rule;
}
constexpr tensor_rule without(const char* stored, tensor_rule rule) {
  rule.without = stored;
  return rule;
}
constexpr tensor_rule where_stored(tensor_rule rule) { return with(rule.stored, rule); }
constexpr tensor_rule ones(const char* canonical, extent length) {
  return made_as(made::ones, {canonical, "", length, extent::one});
}

}  // namespace depthlens::families
