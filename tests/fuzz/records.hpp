// SPDX-License-Identifier: Apache-2.0
// What every record must fulfil that a data reader gives.
#pragma once

#include "fuzz/check.hpp"

#include "depthlens/base/utf8.hpp"
#include "depthlens/data/record_reader.hpp"

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace depthlens::fuzz {

inline void check_record(const record& r, std::uint64_t number) {
  promise(r.index == number, "record ", number, " says that it is record ", r.index);
  std::set<std::string_view> keys;
  for (const auto& [key, value] : r.fields) {
    promise(keys.insert(key).second, "field ", key, " is there twice");
    promise(utf8_first_broken(key) == key.npos && utf8_first_broken(value) == value.npos,
            "a field that is not UTF-8");
    promise(key.find('\0') == key.npos && value.find('\0') == value.npos, "a field with a NUL");
  }
  const std::string* const answer = r.find("answer");
  if (!r.options.empty() && answer != nullptr)
    promise(std::find(r.options.begin(), r.options.end(), *answer) != r.options.end(),
            "an answer that is no option");
  const std::string* const text = r.find("text");
  const std::string* const prompt = r.find("prompt");
  if (text != nullptr && prompt != nullptr)
    promise(text->starts_with(*prompt), "a prompt that is not in its text");
  std::uint64_t begin = 0;
  for (const tagged_word& w : r.words) {
    promise(text != nullptr && w.begin >= begin && w.begin < w.end && w.end <= text->size(),
            "a word that is not in its text");
    begin = w.begin;
  }
  r.content_hash();
}

// Reads all records that open() gives a reader of, up to the first error; returns how many.
template <class Open>
std::uint64_t read_records(std::string_view label, std::size_t size, memory_limit limit, Open&& open) {
  std::uint64_t n = 0;
  read_cleanly(label, size, limit, [&] {
    auto reader = open();
    for (record r; reader.next(r); ++n) check_record(r, n);
    return true;
  });
  return n;
}

}  // namespace depthlens::fuzz
