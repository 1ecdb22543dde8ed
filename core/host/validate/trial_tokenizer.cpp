// SPDX-License-Identifier: Apache-2.0
#include "validate/trial_tokenizer.hpp"

#include "depthlens/base/abi_error.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace depthlens {
namespace {

constexpr std::int32_t blank = 256;     // + byte: that byte with a blank in front
constexpr std::int32_t first_id = 512;  // is special, and in front of prompts

void give(const std::vector<std::int32_t>& from, std::int32_t* ids, std::uint64_t capacity,
          std::uint64_t* count) {
  std::copy_n(from.begin(), std::min<std::uint64_t>(capacity, from.size()), ids);
  *count = from.size();
}

dlens_status encode(const dlens_tokenizer*, dlens_text text, std::uint32_t mode, std::int32_t* ids,
                    std::uint64_t capacity, std::uint64_t* count, dlens_error* e) noexcept {
  return guarded(e, [&] {
    std::vector<std::int32_t> out;
    if (mode == DLENS_ENCODE_PROMPT) out.push_back(first_id);
    const std::string_view all = to_view(text);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool joined = all[i] == ' ' && i + 1 < all.size();
      out.push_back(static_cast<unsigned char>(all[joined ? ++i : i]) + (joined ? blank : 0));
    }
    give(out, ids, capacity, count);
  });
}

std::string bytes_of(std::int32_t id) {
  if (id == first_id) return "<s>";
  if (id < 0 || id > first_id) return "";
  return id < blank ? std::string(1, static_cast<char>(id)) : std::string{' ', static_cast<char>(id - blank)};
}

dlens_text bytes(const dlens_tokenizer*, std::int32_t id) noexcept {
  static const auto all = [] {
    std::array<std::string, trial_vocabulary> out;
    for (std::int32_t i = 0; i <= first_id; ++i) out[static_cast<std::size_t>(i)] = bytes_of(i);
    return out;
  }();
  return id < 0 || id > first_id ? dlens_text{nullptr, 0} : to_text(all[static_cast<std::size_t>(id)]);
}

dlens_status decode(const dlens_tokenizer*, const std::int32_t* ids, std::uint64_t n, char* out,
                    std::uint64_t capacity, std::uint64_t* size, dlens_error* e) noexcept {
  return guarded(e, [&] {
    std::string text;
    for (std::uint64_t i = 0; i < n; ++i) text += bytes_of(ids[i]);
    std::copy_n(text.begin(), std::min<std::uint64_t>(capacity, text.size()), out);
    *size = text.size();
  });
}

}  // namespace

const dlens_tokenizer* trial_tokenizer() {
  static constexpr dlens_tokenizer table = {
      .size = sizeof(dlens_tokenizer),
      .vocabulary = trial_vocabulary,
      .self = nullptr,
      .encode = encode,
      .bytes = bytes,
      .is_special = [](const dlens_tokenizer*, std::int32_t id) -> std::uint32_t { return id == first_id; },
      .prefix = [](const dlens_tokenizer*, std::int32_t* ids, std::uint64_t capacity, std::uint64_t* count,
                   dlens_error*) -> dlens_status {
        if (capacity > 0) ids[0] = first_id;
        *count = 1;
        return DLENS_OK;
      },
      .decode = decode};
  return &table;
}

}  // namespace depthlens
