// SPDX-License-Identifier: Apache-2.0
// A compiled regular expression (PCRE2, JIT where the machine allows it) with bounds on the work of one
// match, and the patterns by which published tokenizers cut text. Only these are accepted: a pattern out of a
// file is looked up here, never compiled.
// Which characters are letters, marks and numbers is PCRE2's knowledge up to Unicode 14, with what
// unicode_classes.hpp adds: Unicode 16. Characters that PCRE2 does not know either are none of these.
#pragma once

#include "depthlens/error.hpp"
#include "depthlens/tokenizer/unicode_classes.hpp"

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
  // What `find` looks at: the characters of valid UTF-8, or bytes of any value.
  enum class units { characters, bytes };

  // `text` is ours, so failure to compile it is status::internal.
  explicit pattern(std::string_view text, units of = units::characters) {
    int code = 0;
    PCRE2_SIZE offset = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                              of == units::characters ? PCRE2_UTF : 0, &code, &offset, nullptr));
    if (!code_) fail(status::internal, "pattern ", text, ": PCRE2 error ", code, " at offset ", offset);
    context_.reset(pcre2_match_context_create(nullptr));
    if (!context_) fail(status::internal, "pattern ", text, ": no memory for PCRE2");
    // One step back per character of a text of 256 MiB; our patterns need no depth at all.
    pcre2_set_match_limit(context_.get(), 1U << 28);
    pcre2_set_heap_limit(context_.get(), 64U * 1024U);
    pcre2_set_depth_limit(context_.get(), 1000);
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);  // where it cannot, the interpreter does the work
  }

  // The first match that starts at or after `from`; false if there is none. With units::characters, `text` is
  // valid UTF-8 and `from` the start of a character. Errors: data, if a limit is reached.
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
inline constexpr std::string_view tekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view gpt4o =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
    R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view digit = R"(\p{N})";
inline constexpr std::string_view digits = R"(\p{N}+)";
inline constexpr std::string_view three_digits = "[0-9][0-9][0-9]";
inline constexpr std::string_view punctuation = R"([\p{P}$+<=>^`|~]+)";
// Digits, where a text is already written in the byte alphabet: also the bytes that are written as the
// characters for 1/4, 1/2, 3/4 and small 1, 2, 3, whatever characters they are parts of.
inline constexpr std::string_view digit_bytes = R"([0-9\xb2\xb3\xb9\xbc-\xbe]+)";

// Whether a pattern covers every text: nothing is left between its matches.
inline bool covers_all(std::string_view p) noexcept {
  return p == gpt2 || p == llama3 || p == qwen2 || p == tekken || p == gpt4o;
}

// Whether a pattern out of a file is one that is read.
inline bool known(std::string_view p) noexcept {
  return covers_all(p) || p == digit || p == digits || p == three_digits;
}

// Patterns that look at bytes and may follow a cut inside a character.
inline bool of_bytes(std::string_view p) noexcept { return p == three_digits || p == digit_bytes; }

// The same pattern for PCRE2: its own \s has other members, its letters, marks and numbers may be older.
inline std::string for_pcre2(std::string_view p) {
  static constexpr std::string_view white =
      R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
  if (p == punctuation) {
    return cat("(?:(?![", unicode_classes::no_punctuation, R"(])[\p{P}$+<=>^`|~)",
               unicode_classes::more_punctuation, "])++");
  }
  std::string out;
  bool in_class = false;
  const auto put_class = [&](std::string_view open, std::string_view members) {
    if (!in_class) out += open;
    out += members;
    if (!in_class) out += ']';
  };
  for (std::size_t i = 0; i < p.size(); ++i) {
    const char next = p[i] == '\\' && i + 1 < p.size() ? p[i + 1] : '\0';
    if (next == 's' || next == 'S') {
      put_class(next == 's' ? "[" : "[^", white);
      ++i;
    } else if (next == 'p') {
      const std::size_t close = p.find('}', i);
      const std::string_view name = p.substr(i + 3, close - i - 3);
      put_class("[", cat(p.substr(i, close + 1 - i), unicode_classes::additions(name)));
      i = close;
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
