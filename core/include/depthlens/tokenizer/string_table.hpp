// SPDX-License-Identifier: Apache-2.0
// Many short strings by number, in one block of memory, and a flat hash from string to number over some of
// them. The tokenizers keep their vocabularies in it. Strings may hold any bytes.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/tokenizer/hash_secret.hpp"

#include <xxhash.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// Strings 0..size()-1. Views stay valid until the next push or the end of the list. At most 4 GiB of text.
class string_list {
 public:
  void reserve(std::size_t strings, std::size_t bytes) {
    ends_.reserve(strings);
    text_.reserve(bytes);
  }

  void push(std::string_view s) {
    if (s.size() > std::numeric_limits<std::uint32_t>::max() - text_.size()) {
      fail(status::data, "a vocabulary with more than 4 GiB of text");
    }
    text_ += s;
    ends_.push_back(static_cast<std::uint32_t>(text_.size()));
  }

  std::size_t size() const noexcept { return ends_.size(); }
  std::size_t text_size() const noexcept { return text_.size(); }

  std::string_view operator[](std::size_t i) const noexcept {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return {text_.data() + begin, ends_[i] - begin};
  }

 private:
  std::string text_;
  std::vector<std::uint32_t> ends_;
};

// Strings of a string_list by their text, in places that nobody can choose (hash_secret.hpp). The list is
// passed to each call and must be the same one, so that both can be moved together. Open addressing, at most
// 2/3 full.
class string_index {
 public:
  static constexpr std::int32_t none = -1;

  void reserve(std::size_t strings) {
    slots_.assign(std::bit_ceil(strings + strings / 2 + 2), slot{});
    used_ = 0;
  }

  // Adds list[id]; returns none, or the id that already stands for this text (which is then kept). The number
  // of strings added must not exceed what was reserved.
  std::int32_t add(const string_list& list, std::int32_t id) {
    const std::string_view text = list[static_cast<std::size_t>(id)];
    const auto hash = hash_of(text);
    const std::size_t at = position(list, text, hash);
    if (slots_[at].id != none) return slots_[at].id;
    if ((used_ + 1) * 3 > slots_.size() * 2 + 2)
      fail(status::internal, "string_index: more strings than reserved");
    slots_[at] = {hash, id};
    ++used_;
    return none;
  }

  std::int32_t find(const string_list& list, std::string_view text) const {
    if (slots_.empty()) return none;
    return slots_[position(list, text, hash_of(text))].id;
  }

  // How many places are looked at to find each string once.
  std::uint64_t places_looked_at() const noexcept {
    std::uint64_t all = 0;
    for (std::size_t at = 0; at < slots_.size(); ++at)
      if (slots_[at].id != none) all += ((at - slots_[at].hash) & (slots_.size() - 1)) + 1;
    return all;
  }

 private:
  struct slot {
    std::uint32_t hash = 0;
    std::int32_t id = none;
  };

  static std::uint32_t hash_of(std::string_view text) noexcept {
    const std::uint64_t h = XXH3_64bits_withSeed(text.data(), text.size(), process_hash_secret());
    return static_cast<std::uint32_t>(h ^ (h >> 32));
  }

  std::size_t position(const string_list& list, std::string_view text, std::uint32_t hash) const {
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
      const slot& s = slots_[at];
      if (s.id == none || (s.hash == hash && list[static_cast<std::size_t>(s.id)] == text)) return at;
    }
  }

  std::vector<slot> slots_;
  std::size_t used_ = 0;
};

}  // namespace depthlens
