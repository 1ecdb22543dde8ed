// SPDX-License-Identifier: Apache-2.0
// A seed for the hashes of tables that are filled from files. Who writes a file does not know it, so they
// cannot choose entries that all fall on one place and make each look-up a search through the whole table.
// It differs from process to process; nothing but the places in such a table may depend on it.
#pragma once

#include <cstdint>
#include <random>

namespace depthlens {

// Thread-safe.
inline std::uint64_t process_hash_secret() {
  static const std::uint64_t secret = [] {
    std::random_device source;
    const std::uint64_t high = source();
    return (high << 32) | source();
  }();
  return secret;
}

}  // namespace depthlens
