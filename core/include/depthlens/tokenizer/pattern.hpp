// SPDX-License-Identifier: Apache-2.0
// A compiled regular expression (PCRE2, JIT where the machine allows it) with bounds on the work of one
// match, and the patterns by which published tokenizers cut text. Only these are accepted: a pattern out of a
// file is looked up here, never compiled.
// Which characters are letters and numbers is PCRE2's knowledge (10.42: Unicode 14, 10.45: Unicode 16);
// characters that are younger than that are neither.
#pragma once

#include "depthlens/error.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace depthlens {

namespace detail {

struct pcre2_deleter {
  void operator()(pcre2_code* p) const noexcept { pcre2_code_free(p); }
  void operator()(pcre2_match_context* p) const noexcept { pcre2_match_context_free(p); }
  void operator()(pcre2_match_data* p) const noexcept { pcre2_match_data_free(p); }
};

}  // namespace detail

// Where a pattern matched: text[begin, end).
struct pattern_match {
  std::size_t begin, end;
};

// Immutable; find may be called from several threads.
class pattern {
 public:
  // `text` is ours, so failure to compile it is status::internal.
  explicit pattern(std::string_view text) {
    int code = 0;
    PCRE2_SIZE offset = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), PCRE2_UTF, &code,
                              &offset, nullptr));
    if (!code_) fail(status::internal, "pattern ", text, ": PCRE2 error ", code, " at offset ", offset);
    context_.reset(pcre2_match_context_create(nullptr));
    if (!context_) fail(status::internal, "pattern ", text, ": no memory for PCRE2");
    // One step back per character of a text of 256 MiB; our patterns need no depth at all.
    pcre2_set_match_limit(context_.get(), 1U << 28);
    pcre2_set_heap_limit(context_.get(), 64U * 1024U);
    pcre2_set_depth_limit(context_.get(), 1000);
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);  // where it cannot, the interpreter does the work
  }

  // The first match that starts at or after `from`; false if there is none. `text` is valid UTF-8, `from` the
  // start of a character. Errors: data, if a limit is reached.
  bool find(std::string_view text, std::size_t from, pattern_match& out) const {
    thread_local const std::unique_ptr<pcre2_match_data, detail::pcre2_deleter> data(
        pcre2_match_data_create(1, nullptr));
    if (!data) fail(status::internal, "no memory for PCRE2");
    const int rc = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                               PCRE2_NO_UTF_CHECK, data.get(), context_.get());
    if (rc == PCRE2_ERROR_NOMATCH) return false;
    if (rc < 0)
      fail(status::data, "a text of ", text.size(), " bytes cannot be cut into words: PCRE2 error ", rc);
    const PCRE2_SIZE* at = pcre2_get_ovector_pointer(data.get());
    out = {at[0], at[1]};
    return true;
  }

 private:
  std::unique_ptr<pcre2_code, detail::pcre2_deleter> code_;
  std::unique_ptr<pcre2_match_context, detail::pcre2_deleter> context_;
};

// The patterns as tokenizer.json files write them (Oniguruma syntax, where \s is Unicode's White_Space).
namespace split_patterns {

inline constexpr std::string_view gpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view llama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+)"
    R"(|\s+(?!\S)|\s+)";
inline constexpr std::string_view qwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+)"
    R"(|\s+(?!\S)|\s+)";
inline constexpr std::string_view digit = R"(\p{N})";
inline constexpr std::string_view digits = R"(\p{N}+)";
inline constexpr std::string_view three_digits = "[0-9][0-9][0-9]";
inline constexpr std::string_view punctuation = R"([\p{P}$+<=>^`|~]+)";

// Whether a pattern out of a file is one of the above.
inline bool known(std::string_view p) noexcept {
  return p == gpt2 || p == llama3 || p == qwen2 || p == digit || p == digits || p == three_digits;
}

// The same pattern for PCRE2, whose own \s has other members.
inline std::string for_pcre2(std::string_view p) {
  static constexpr std::string_view white =
      R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const char next = p[i] == '\\' && i + 1 < p.size() ? p[i + 1] : '\0';
    if (next == 's' || next == 'S') {
      if (!in_class) out += next == 's' ? "[" : "[^";
      out += white;
      if (!in_class) out += ']';
      ++i;
    } else if (next != '\0') {
      out.append(p, i++, 2);
    } else {
      if (p[i] == '[') in_class = true;
      if (p[i] == ']') in_class = false;
      out += p[i];
    }
  }
  return out;
}

}  // namespace split_patterns

}  // namespace depthlens
