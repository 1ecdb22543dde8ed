// SPDX-License-Identifier: Apache-2.0
// How much work a template may make: a hostile one ends in an error within a second or so, whatever its loops
// and macros do. A unit is a node looked at, or 16 bytes of text copied.
#pragma once

#include "depthlens/base/error.hpp"

#include <cstddef>
#include <cstdint>

namespace depthlens::chat {

class budget {
 public:
  // A known template needs a few hundred units, and a dozen copies of the prompt.
  explicit budget(std::size_t prompt_bytes) : left_(2'000'000 + 8 * std::uint64_t{prompt_bytes}) {}

  void spend(std::uint64_t units) {
    if (units > left_) fail(status::data, "does too much work for one prompt");
    left_ -= units;
  }
  void copy(std::size_t bytes) { spend(1 + bytes / 16); }
  // Looking for one text in another, at worst.
  void search(std::size_t in, std::size_t what) {
    spend(1 + std::uint64_t{in} * std::uint64_t{what} / 1024 + in / 16);
  }

  // For the depth of calls.
  class level {
   public:
    explicit level(budget& b) : budget_(b) {
      if (++budget_.depth_ > most) fail(status::data, "nests its calls and expressions too deep");
    }
    ~level() { --budget_.depth_; }
    level(const level&) = delete;

   private:
    static constexpr std::size_t most = 400;
    budget& budget_;
  };

 private:
  std::uint64_t left_;
  std::size_t depth_ = 0;
};

}  // namespace depthlens::chat
