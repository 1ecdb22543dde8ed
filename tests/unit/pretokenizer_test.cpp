// SPDX-License-Identifier: Apache-2.0
// How the published families cut text into words, and that no cut loses text, whatever it is.
#include "depthlens/tokenizer/pretokenizer.hpp"

#include "depthlens/base/utf8.hpp"

#include <boost/test/unit_test.hpp>

#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace depthlens;

namespace {

using words = std::vector<std::string>;

words cut(const pretokenizer& p, std::string_view text) {
  words out;
  p.split(text, [&](std::string_view word) { out.emplace_back(word); });
  return out;
}

pretokenizer of_family(std::string_view name) {
  const auto preset = find_preset(name);
  BOOST_REQUIRE(preset.has_value());
  std::vector<split_step> steps;
  for (const std::string_view p : preset->patterns) steps.push_back({std::string(p)});
  return pretokenizer(steps);
}

void check(std::string_view family, std::string_view text, const words& expected) {
  BOOST_TEST_CONTEXT(family << ": " << text) {
    BOOST_TEST(cut(of_family(family), text) == expected, boost::test_tools::per_element());
  }
}

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    if (c >= 0x10000) {
      out += static_cast<char>(0xF0 | (c >> 18));
      out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    } else {
      out += static_cast<char>(0xE0 | (c >> 12));
    }
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pretokenizer_)

BOOST_AUTO_TEST_CASE(gpt2_keeps_a_blank_with_the_word_behind_it_and_numbers_together) {
  check("gpt-2", "I'll pay 1234 now,  ok?\n\n x",
        {"I", "'ll", " pay", " 1234", " now", ",", " ", " ok", "?", "\n\n", " x"});
  check("gpt-2", "THEY'LL", {"THEY", "'", "LL"});
  check("gpt-2", "end  ", {"end", "  "});
}

BOOST_AUTO_TEST_CASE(smollm_cuts_every_digit_apart) {
  check("smollm", "in 2024!", {"in", " ", "2", "0", "2", "4", "!"});
  check("smollm", "x\xC2\xBD\xD9\xA3", {"x", "\xC2\xBD", "\xD9\xA3"});  // one half, an Arabic three
}

BOOST_AUTO_TEST_CASE(llama3_takes_digits_by_three_and_contractions_in_any_case) {
  check("llama-bpe", "12345 We'RE\r\n\r\n\tgo", {"123", "45", " We", "'RE", "\r\n\r\n", "\tgo"});
  check("llama-bpe", "a ... \n b", {"a", " ...", " \n", " b"});
}

BOOST_AUTO_TEST_CASE(qwen2_takes_single_digits_without_the_blank_before_them) {
  check("qwen2", "It's 42.\n", {"It", "'s", " ", "4", "2", ".\n"});
}

BOOST_AUTO_TEST_CASE(qwen35_keeps_marks_with_the_letters_that_they_stand_behind) {
  const std::string word = " \xE0\xA4\xB9\xE0\xA4\xBF\xE0\xA4\xA8\xE0\xA5\x8D";  // two letters, two marks
  check("qwen35", "It's 42" + word + ".\n", {"It", "'s", " ", "4", "2", word, ".\n"});
  check("qwen2", "a" + word, {"a", " \xE0\xA4\xB9", "\xE0\xA4\xBF\xE0\xA4\xA8", "\xE0\xA5\x8D"});
}

BOOST_AUTO_TEST_CASE(falcon_cuts_punctuation_first_and_three_digits_last) {
  check("falcon", "a+b, 12345", {"a", "+", "b", ",", " ", "123", "45"});
  check("falcon", "\xC2\xBD", {"\xC2", "\xBD"});  // one half: its last byte is a digit in the byte alphabet
}

BOOST_AUTO_TEST_CASE(deepseek_v3_takes_digits_by_three_and_asian_text_apart) {
  check("deepseek-v3", "I'll pay 12345 now\r\n (x)",
        {"I", "'ll", " pay", " ", "123", "45", " now", "\r\n", " (", "x", ")"});
  check("deepseek-v3", "a\xE4\xBD\xA0\xE5\xA5\xBD\xE3\x83\x86 caf\xC3\xA9+ b",
        {"a", "\xE4\xBD\xA0\xE5\xA5\xBD\xE3\x83\x86", " caf\xC3\xA9", "+", " b"});
  // A letter with a mark behind it stays whole; U+1FAE9 is a symbol of Unicode 16.
  check("deepseek-v3", "e\xCC\x81x \xF0\x9F\xAB\xA9!", {"e\xCC\x81x", " \xF0\x9F\xAB\xA9!"});
}

BOOST_AUTO_TEST_CASE(deepseek_coder_keeps_any_white_space_with_letters_and_single_digits) {
  check("deepseek-coder", "if\t(x == 42):\n  y", {"if", "\t(", "x", " == ", "4", "2", "):", "\n", " ", " y"});
  check("deepseek-coder", "\xED\x95\x9C\xEA\xB5\xAD 1", {"\xED\x95\x9C\xEA\xB5\xAD", " ", "1"});
}

BOOST_AUTO_TEST_CASE(deepseek_llm_cuts_cased_letters_and_leaves_blanks_at_the_end_together) {
  // The range :-~ of its signs covers ASCII letters too, so that other letters are cut from them.
  check("deepseek-llm", "The caf\xC3\xA9 (12)  ", {"The", " caf", "\xC3\xA9", " (", "1", "2", ")", "  "});
  check("deepseek-llm", "ab\xE4\xBD\xA0\xE5\xA5\xBD", {"ab", "\xE4\xBD\xA0\xE5\xA5\xBD"});
}

BOOST_AUTO_TEST_CASE(bloom_cuts_at_blanks_and_at_the_signs_of_its_pattern) {
  check("bloom", "Hello, world!  (a|b) 12", {"Hello", ",", " world", "!  (", "a", "|", "b", ")", " 12"});
  check("bloom",
        "a\xE3\x80\x82"
        "b\xD8\x8C c",
        {"a", "\xE3\x80\x82", "b", "\xD8\x8C", " c"});
}

BOOST_AUTO_TEST_CASE(falcon3_cuts_as_llama3) {
  BOOST_TEST((find_preset("falcon3")->patterns == find_preset("llama3")->patterns));
  BOOST_TEST(find_preset("falcon3")->whole_words);
}

BOOST_AUTO_TEST_CASE(patterns_of_files_are_compared_in_ascii) {
  BOOST_TEST(split_patterns::in_ascii("[\r\n]") == split_patterns::line_ends);
  BOOST_TEST(split_patterns::in_ascii("\xE2\x80\xA6x\xF0\x90\x90\x80") == R"(\x{2026}x\x{10400})");
  for (const pretokenizer_preset& preset : depthlens::detail::pretokenizer_presets())
    for (const std::string_view p : preset.patterns) BOOST_TEST(split_patterns::in_ascii(p) == p);
}

BOOST_AUTO_TEST_CASE(tekken_and_gpt4o_cut_between_small_and_capital_letters) {
  check("tekken", "HTTPServer's 42/\n", {"HTTPServer", "'s", " ", "4", "2", "/\n"});
  check("tekken", "camelCase", {"camel", "Case"});
  check("gpt-4o", "camelCase's 1234", {"camel", "Case's", " ", "123", "4"});
}

BOOST_AUTO_TEST_CASE(letters_and_numbers_are_those_of_unicode_16_whatever_pcre2_knows) {
  // An Egyptian hieroglyph and a Garay digit, both of Unicode 16; U+1E030 is a modifier letter of Unicode 15.
  check("gpt-2",
        "a\xF0\x93\xAD\xAF"
        "b",
        {"a\xF0\x93\xAD\xAF"
         "b"});
  check("smollm",
        "a\xF0\x90\xB5\x80"
        "b",
        {"a", "\xF0\x90\xB5\x80", "b"});
  check("tekken",
        "a\xF0\x9E\x80\xB0"
        "b",
        {"a\xF0\x9E\x80\xB0"
         "b"});
  check("gpt-2", "a\xF3\xA0\x80\xBF", {"a", "\xF3\xA0\x80\xBF"});  // assigned by none
}

BOOST_AUTO_TEST_CASE(white_space_is_what_unicode_calls_so) {
  // U+180E is white space for PCRE2's own \s, U+001C for Python: neither is for the tokenizers.
  check("gpt-2", "a\xE1\xA0\x8E", {"a", "\xE1\xA0\x8E"});
  check("gpt-2", "a \x1C", {"a", " \x1C"});
  check("gpt-2", "a \xC2\xA0\xE3\x80\x80 b", {"a", " \xC2\xA0\xE3\x80\x80", " b"});
}

BOOST_AUTO_TEST_CASE(literal_steps_keep_the_match_where_they_are_told_to) {
  const std::string_view text = "  a b ";
  const auto literal = [&](split_behavior b) { return cut(pretokenizer({{" ", true, b}}), text); };
  BOOST_TEST(literal(split_behavior::isolated) == (words{" ", " ", "a", " ", "b", " "}),
             boost::test_tools::per_element());
  BOOST_TEST(literal(split_behavior::merged_with_previous) == (words{" ", " ", "a ", "b "}),
             boost::test_tools::per_element());
  BOOST_TEST(literal(split_behavior::merged_with_next) == (words{" ", " a", " b", " "}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(behaviors_say_what_becomes_of_matches_and_of_what_is_between) {
  using enum split_behavior;
  const auto by = [](split_behavior b, bool inverted) {
    return cut(pretokenizer({{std::string(split_patterns::digit), false, b, inverted}}), "1ab23c");
  };
  const auto is = [&](split_behavior b, bool inverted, const words& expected) {
    BOOST_TEST(by(b, inverted) == expected, boost::test_tools::per_element());
  };
  is(contiguous, false, {"1", "ab", "23", "c"});
  is(contiguous, true, {"1", "ab", "23", "c"});
  is(removed, false, {"ab", "c"});
  is(removed, true, {"1", "2", "3"});
  is(isolated, true, {"1", "ab", "2", "3", "c"});
  is(merged_with_previous, true, {"1ab", "2", "3c"});
  is(merged_with_next, true, {"1", "ab2", "3", "c"});
}

BOOST_AUTO_TEST_CASE(no_step_leaves_the_text_whole_and_no_text_gives_no_words) {
  BOOST_TEST(cut(pretokenizer(), "a b") == (words{"a b"}), boost::test_tools::per_element());
  BOOST_TEST(cut(pretokenizer(), "").empty());
  BOOST_TEST(cut(of_family("llama-bpe"), "").empty());
}

BOOST_AUTO_TEST_CASE(the_words_of_random_text_are_the_text) {
  std::mt19937 random(3);
  for (const std::string_view family : {"gpt-2", "smollm", "llama-bpe", "qwen2", "qwen35", "tekken", "gpt-4o",
                                        "falcon", "bloom", "deepseek-llm", "deepseek-coder", "deepseek-v3"}) {
    const pretokenizer p = of_family(family);
    for (int i = 0; i < 400; ++i) {
      std::string text;
      for (std::size_t n = random() % 30; n > 0; --n) {
        char32_t c = random() % (random() % 2 ? 0x80 : random() % 2 ? 0x3000 : 0x110000);
        if (c >= 0xD800 && c < 0xE000) c = ' ';
        append_utf8(text, c);
      }
      std::string joined;
      p.split(text, [&](std::string_view word) {
        BOOST_TEST_REQUIRE(!word.empty());
        const bool whole = utf8_first_broken(word) == std::string_view::npos;
        BOOST_TEST_REQUIRE((whole || family == "falcon"));  // which cuts bytes
        joined += word;
      });
      BOOST_TEST_REQUIRE(joined == text);
    }
  }
}

BOOST_AUTO_TEST_CASE(long_runs_do_not_reach_the_limits_of_a_match) {
  const std::string blanks(1U << 20, ' '), letters(1U << 20, 'x'), signs(1U << 20, '=');
  for (const char* family :
       {"gpt-2", "smollm", "llama-bpe", "qwen2", "qwen35", "tekken", "gpt-4o", "falcon"}) {
    BOOST_TEST(cut(of_family(family), blanks).size() == 1U);
    BOOST_TEST(cut(of_family(family), blanks + "x").size() == 2U);
    BOOST_TEST(cut(of_family(family), letters).size() == 1U);
    BOOST_TEST(cut(of_family(family), signs).size() == 1U);
  }
  for (const char* family : {"bloom", "deepseek-llm", "deepseek-coder", "deepseek-v3"}) {
    BOOST_CHECK_NO_THROW(cut(of_family(family), blanks + "5" + blanks));
    BOOST_TEST(cut(of_family(family), letters).size() == 1U);
    BOOST_CHECK_NO_THROW(cut(of_family(family), signs));
  }
}

BOOST_AUTO_TEST_CASE(names_are_known_or_they_are_not) {
  BOOST_TEST(!find_preset("viking").has_value());
  BOOST_TEST(find_preset("")->kind == "gpt-2, assumed");
  BOOST_TEST(find_preset("default")->kind == "gpt-2, assumed");
  BOOST_TEST(find_preset("llama-bpe")->whole_words);
  BOOST_TEST(find_preset("llama-bpe")->add_bos);
  BOOST_TEST(!find_preset("kimi-k2").has_value());
  for (const char* name : {"qwen2", "qwen35", "stablelm2", "command-r", "olmo"})
    BOOST_TEST(find_preset(name)->nfc, name);
  for (const char* name : {"refact", "starcoder", "gpt-4o", "llama4", "dbrx", "smaug-bpe"})
    BOOST_TEST(!find_preset(name)->nfc, name);
  BOOST_TEST(find_preset("smaug-bpe")->whole_words);
  BOOST_TEST(!find_preset("smaug-bpe")->add_bos);
  BOOST_TEST((kind_of_patterns({split_patterns::digit, split_patterns::gpt2}) == "smollm"));
  BOOST_TEST(!kind_of_patterns({split_patterns::digit}).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
