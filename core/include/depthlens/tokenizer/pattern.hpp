// SPDX-License-Identifier: Apache-2.0
// A compiled regular expression (PCRE2, JIT where the machine allows it) with bounds on the work of one
// match, and the patterns by which published tokenizers cut text. Only these are accepted: a pattern out of a
// file is looked up here, never compiled.
// Which characters are letters, marks and numbers is PCRE2's knowledge up to Unicode 14, with what
// unicode_classes.hpp adds: Unicode 16. Characters that PCRE2 does not know either are none of these.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/base/utf8.hpp"
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
// As qwen2, with marks as parts of words.
inline constexpr std::string_view qwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";
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
// DeepSeek's, in the order in which each of its tokenizers cuts.
inline constexpr std::string_view line_ends = R"([\r\n])";
inline constexpr std::string_view blank_letters = R"(\s?\p{L}+)";
inline constexpr std::string_view blank_punctuation = R"(\s?\p{P}+)";
inline constexpr std::string_view three_numbers = R"(\p{N}{1,3})";
inline constexpr std::string_view last_blanks = R"(\s+$)";
inline constexpr std::string_view asian = R"([\x{4E00}-\x{9FA5}\x{800}-\x{4E00}\x{AC00}-\x{D7FF}]+)";
inline constexpr std::string_view chinese_and_kana =
    R"([\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+)";
inline constexpr std::string_view deepseek3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+)"
    R"(| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view blank_cased_letters =
    R"(\s?[A-Za-z\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293})"
    R"(\x{295}-\x{2AF}\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A}\x{38C})"
    R"(\x{38E}-\x{3A1}\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-\x{556}\x{10A0}-\x{10C5})"
    R"(\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF}\x{1D00}-\x{1D2B})"
    R"(\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D}\x{1F20}-\x{1F45})"
    R"(\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D}\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4})"
    R"(\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4}\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB})"
    R"(\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}\x{1FF6}-\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115})"
    R"(\x{2119}-\x{211D}\x{2124}\x{2126}\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139})"
    R"(\x{213C}-\x{213F}\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4})"
    R"(\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D}\x{A680}-\x{A69B}\x{A722}-\x{A76F})"
    R"(\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF}\x{FB00}-\x{FB06}\x{FB13}-\x{FB17})"
    R"(\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}\x{104B0}-\x{104D3}\x{104D8}-\x{104FB})"
    R"(\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}\x{1E900}-\x{1E943}]+)";
inline constexpr std::string_view blank_signs =
    R"(\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+)";
// BLOOM's, with a class within a class as Oniguruma has them.
inline constexpr std::string_view bloom =
    R"( ?[^(\s|[.,!?\x{2026}\x{3002}\x{FF0C}\x{3001}\x{964}\x{6D4}\x{60C}])]+)";
inline constexpr std::string_view digit = R"(\p{N})";
inline constexpr std::string_view digits = R"(\p{N}+)";
inline constexpr std::string_view three_digits = "[0-9][0-9][0-9]";
inline constexpr std::string_view punctuation = R"([\p{P}$+<=>^`|~]+)";
inline constexpr std::string_view punctuation_mark = R"([\p{P}$+<=>^`|~])";
// Digits, where a text is already written in the byte alphabet: also the bytes that are written as the
// characters for 1/4, 1/2, 3/4 and small 1, 2, 3, whatever characters they are parts of.
inline constexpr std::string_view digit_bytes = R"([0-9\xb2\xb3\xb9\xbc-\xbe]+)";
inline constexpr std::string_view digit_byte = R"([0-9\xb2\xb3\xb9\xbc-\xbe])";

// Whether a pattern covers every text: nothing is left between its matches.
inline bool covers_all(std::string_view p) noexcept {
  return p == gpt2 || p == llama3 || p == qwen2 || p == qwen35 || p == tekken || p == gpt4o;
}

// Whether a pattern out of a file is one that is read.
inline bool known(std::string_view p) noexcept {
  for (const std::string_view one :
       {digit, digits, three_digits, line_ends, blank_letters, blank_punctuation, three_numbers, last_blanks,
        asian, chinese_and_kana, deepseek3, blank_cased_letters, blank_signs, bloom})
    if (p == one) return true;
  return covers_all(p);
}

// A pattern out of a file in the spelling above: ASCII, line ends and all other characters as escapes.
inline std::string in_ascii(std::string_view p) {
  static constexpr char hex[] = "0123456789ABCDEF";
  std::string out;
  for (std::size_t at = 0; at < p.size();) {
    const utf8_character c = utf8_at(p, at);
    if (c.value == '\r' || c.value == '\n') {
      out += c.value == '\r' ? "\\r" : "\\n";
    } else if (c.value < 0x80) {
      out += p[at];
    } else {
      std::string digits;
      for (auto v = static_cast<std::uint32_t>(c.value); v != 0; v >>= 4)
        digits.insert(digits.begin(), hex[v & 15]);
      out += cat("\\x{", digits, "}");
    }
    at += c.size;
  }
  return out;
}

// Patterns that look at bytes and may follow a cut inside a character.
inline bool of_bytes(std::string_view p) noexcept {
  return p == three_digits || p == digit_bytes || p == digit_byte;
}

// The same pattern for PCRE2: its own \s has other members, its letters, marks and numbers may be older.
inline std::string for_pcre2(std::string_view p) {
  static constexpr std::string_view white =
      R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
  if (p == punctuation || p == punctuation_mark) {
    return cat("(?:(?![", unicode_classes::no_punctuation, R"(])[\p{P}$+<=>^`|~)",
               unicode_classes::more_punctuation, p == punctuation ? "])++" : "])");
  }
  if (p == bloom)
    return cat(" ?[^()|.,!?\\x{2026}\\x{3002}\\x{FF0C}\\x{3001}\\x{964}\\x{6D4}\\x{60C}", white, "]+");
  if (p == digit || p == digits)
    return cat("[", digit, unicode_classes::additions("N"), unicode_classes::more_digits,
               p == digit ? "]" : "]++");
  // A run of blanks is tried once, from its start.
  if (p == last_blanks) return cat("(?<![", white, "])[", white, "]++$");
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
