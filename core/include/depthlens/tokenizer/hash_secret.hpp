// SPDX-License-Identifier: Apache-2.0
// Numbers for the hashes of tables that are filled from files. Who writes a file does not know them, so they
// cannot choose entries that all fall on one place and make each look-up a search through the whole table.
// They differ from process to process; nothing but the places in such a table may depend on them.
#pragma once

#include <cstdint>
#include <random>

namespace depthlens {

struct hash_secret {
  std::uint64_t mask, factor;  // factor is odd
};

// Thread-safe.
inline const hash_secret& process_hash_secret() {
  static const hash_secret secret = [] {
    std::random_device source;
    const auto draw = [&] { return (static_cast<std::uint64_t>(source()) << 32) | source(); };
    const std::uint64_t mask = draw();
    return hash_secret{mask, draw() | 1};
  }();
  return secret;
}

}  // namespace depthlens
