// SPDX-License-Identifier: Apache-2.0
// tokenizer.json: exact ids of small vocabularies in every form that is read, and refusal, by name, of all
// others.
#include "depthlens/base/text.hpp"
#include "support/tokenizer_files.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <string>
#include <vector>

using namespace depthlens;
using namespace depthlens::test;

namespace {

constexpr auto each = boost::test_tools::per_element();

ids plain(const tokenizer& t, std::string_view text) { return t.encode(text, special::none); }

// "he" 256, " t" 257, " the" 258, "ll" 259, "llo" 260.
json_tokenizer english() {
  json_tokenizer t;
  t.join("h", "e").join(" ", "t").join(" t", "he").join("l", "l").join("ll", "o");
  return t;
}

const std::string frame =
    R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<b>","type_id":0}},)"
    R"({"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"<e>","type_id":0}}],"pair":[],)"
    R"("special_tokens":{"<b>":{"id":"<b>","ids":[261],"tokens":["<b>"]},)"
    R"("<e>":{"id":"<e>","ids":[262],"tokens":["<e>"]}}})";

json_tokenizer framed() {
  json_tokenizer t = english();
  t.added = R"([{"id":261,"content":"<b>","special":true},)"
            R"({"id":262,"content":"<e>","special":true,"normalized":false},)"
            R"({"id":263,"content":"<pad>","special":false,"lstrip":true,"rstrip":true,"normalized":false}])";
  t.post_processor = R"({"type":"Sequence","processors":[{"type":"ByteLevel"},)" + frame + "]}";
  return t;
}

// Loading `t` fails and says `part`.
bool refused(const json_tokenizer& t, std::string_view part) {
  return fails_with(status::data, part, [&] { t.load(); });
}

bool refused_text(const std::string& text, std::string_view part) {
  const scratch_folder folder;
  return fails_with(status::data, part, [&] { tokenizer::from_json(folder.write("tokenizer.json", text)); });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(tokenizer_json)

BOOST_AUTO_TEST_CASE(byte_level_text_becomes_the_expected_ids_and_back) {
  const tokenizer t = english().load();
  BOOST_TEST(t.size() == 261U);
  BOOST_TEST(t.kind() == "byte-level BPE (gpt-2)");
  BOOST_TEST(plain(t, "hello the") == (ids{256, 260, 258}), each);
  BOOST_TEST(plain(t, "\xC3\xA9") == (ids{0xC3, 0xA9}), each);
  BOOST_TEST(t.bytes(258) == " the");
  BOOST_TEST(t.bytes(261).empty());
  BOOST_TEST(t.bytes(-1).empty());
  BOOST_TEST(t.decode(ids{256, 260, 258}) == "hello the");
  BOOST_TEST(t.encode("", special::add).empty());
  BOOST_TEST(!t.bos().has_value());
  BOOST_TEST(fails_with(status::usage, "token id 261", [&] { t.decode(ids{261}); }));
}

BOOST_AUTO_TEST_CASE(merges_written_as_strings_and_as_pairs_are_the_same_tokenizer) {
  json_tokenizer t = english();
  const std::string hash = t.load().content_hash();
  BOOST_TEST(hash.size() == 64U);
  t.merges_as_pairs = true;
  BOOST_TEST(t.load().content_hash() == hash);
}

BOOST_AUTO_TEST_CASE(all_that_changes_ids_changes_the_hash) {
  const std::string hash = english().load().content_hash();
  const auto differs = [&](const std::function<void(json_tokenizer&)>& change) {
    json_tokenizer t = english();
    change(t);
    return t.load().content_hash() != hash;
  };
  BOOST_TEST(differs([](auto& t) { std::swap(t.merges[0], t.merges[1]); }));
  BOOST_TEST(differs([](auto& t) { t.tokens.push_back("zz"); }));
  BOOST_TEST(differs([](auto& t) { t.normalizer = R"({"type":"NFC"})"; }));
  BOOST_TEST(differs([](auto& t) { t.options = R"("ignore_merges":true,)"; }));
  BOOST_TEST(differs([](auto& t) { t.pre_tokenizer = R"({"type":"ByteLevel","add_prefix_space":true})"; }));
  BOOST_TEST(differs([](auto& t) { t.added = R"([{"id":256,"content":"he","special":true}])"; }));
  BOOST_TEST(!differs([](auto& t) { t.decoder = "null"; }));
}

BOOST_AUTO_TEST_CASE(special_tokens_are_added_and_found_only_where_they_are_wanted) {
  const tokenizer t = framed().load();
  BOOST_TEST(t.prefix() == (ids{261}), each);
  BOOST_TEST(t.bos().value() == 261);
  BOOST_TEST(t.encode("", special::add) == (ids{261, 262}), each);
  BOOST_TEST(t.encode("he<e>llo", special::add) == (ids{261, 256, 262, 260, 262}), each);
  BOOST_TEST(plain(t, "he<e>") == (ids{256, '<', 'e', '>'}), each);
  BOOST_TEST(t.is_special(261));
  BOOST_TEST(!t.is_special(263));
  BOOST_TEST(!t.is_special(-1));
  BOOST_TEST(!t.is_special(264));
  BOOST_TEST(t.bytes(262) == "<e>");
  BOOST_TEST(t.decode(ids{261, 256, 262}) == "<b>he<e>");
}

BOOST_AUTO_TEST_CASE(added_tokens_that_are_not_special_are_always_found_with_the_blanks_they_take) {
  const tokenizer t = framed().load();
  BOOST_TEST(plain(t, "he \t<pad>\n llo") == (ids{256, 263, 260}), each);
  json_tokenizer k = english();
  k.added = R"([{"id":261,"content":"<r>","rstrip":true,"normalized":false},)"
            R"({"id":262,"content":"\n","normalized":false}])";
  BOOST_TEST(plain(k.load(), "<r> \n he") == (ids{261, 262, ' ', 256}), each);
}

BOOST_AUTO_TEST_CASE(the_longest_added_token_is_taken_and_single_words_stand_alone) {
  json_tokenizer t = english();
  t.added = R"([{"id":261,"content":"ab","normalized":false},{"id":262,"content":"abc","normalized":false},)"
            R"({"id":263,"content":"qu","single_word":true,"normalized":false}])";
  const tokenizer k = t.load();
  BOOST_TEST(plain(k, "abcab") == (ids{262, 261}), each);
  BOOST_TEST(plain(k, "qu,xqu qu") == (ids{263, ',', 'x', 'q', 'u', ' ', 263}), each);
  BOOST_TEST(plain(k, "\xC3\xA9qu") == (ids{0xC3, 0xA9, 'q', 'u'}), each);
  // Letters of Unicode 14, 15 and 16 are letters; U+1D2C0, a number that is no digit, is none of a word.
  for (const char* letter : {"\U0001DF00", "\U0001E030", "\U00010D50"})
    BOOST_TEST(plain(k, cat("qu", letter)).front() == 'q', letter);
  BOOST_TEST(plain(k, "qu\U0001D2C0").front() == 263);
}

BOOST_AUTO_TEST_CASE(normalized_added_tokens_are_found_in_the_normalised_text) {
  json_tokenizer t = english();
  t.normalizer = R"({"type":"NFC"})";
  t.added = R"([{"id":261,"content":"e\u0301","normalized":true},)"
            R"({"id":262,"content":"o\u0301","normalized":false}])";
  const tokenizer k = t.load();
  BOOST_TEST(plain(k, "\xC3\xA9") == (ids{261}), each);
  BOOST_TEST(plain(k, "e\xCC\x81") == (ids{261}), each);
  BOOST_TEST(plain(k, "\xC3\xB3") == (ids{0xC3, 0xB3}), each);
  BOOST_TEST(plain(k, "o\xCC\x81") == (ids{262}), each);
}

BOOST_AUTO_TEST_CASE(nfc_composes_and_leaves_characters_younger_than_unicode_9) {
  json_tokenizer t = english();
  t.normalizer = R"({"type":"NFC"})";
  const tokenizer k = t.load();
  BOOST_TEST(k.decode(plain(k, "A\xCC\x8A\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB")) == "\xC3\x85\xED\x95\x9C");
  // U+0345 (class 240) stays before U+08D3 (class 220, Unicode 11), and moves behind U+0323 (class 220,
  // Unicode 1).
  BOOST_TEST(k.decode(plain(k, "x\xCD\x85\xE0\xA3\x93")) == "x\xCD\x85\xE0\xA3\x93");
  BOOST_TEST(k.decode(plain(k, "x\xCD\x85\xCC\xA3")) == "x\xCC\xA3\xCD\x85");
}

BOOST_AUTO_TEST_CASE(digits_and_published_patterns_cut_words) {
  json_tokenizer t;
  t.join("1", "2").join(" ", "1");
  BOOST_TEST(plain(t.load(), " 12") == (ids{' ', 256}), each);
  t.pre_tokenizer = R"({"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},)" +
                    t.pre_tokenizer + "]}";
  const tokenizer digits = t.load();
  BOOST_TEST(digits.kind() == "byte-level BPE (smollm)");
  BOOST_TEST(plain(digits, " 12") == (ids{' ', '1', '2'}), each);
}

BOOST_AUTO_TEST_CASE(tekken_cuts_where_small_letters_end_and_gpt4o_keeps_contractions) {
  json_tokenizer t;
  t.join("a", "B").join("e", "'").join("1", "2");
  const auto cut_by = [&](std::string_view expression, const char* behavior) {
    t.pre_tokenizer = R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":)" +
                      boost::json::serialize(boost::json::value(std::string(expression))) +
                      R"(},"behavior":)" + behavior +
                      R"(},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]})";
    return t.load();
  };
  const tokenizer tekken = cut_by(split_patterns::tekken, R"("Isolated","invert":false)");
  BOOST_TEST(tekken.kind() == "byte-level BPE (tekken)");
  BOOST_TEST(plain(tekken, "aBe's12") == (ids{'a', 'B', 'e', '\'', 's', '1', '2'}), each);
  const tokenizer gpt4o = cut_by(split_patterns::gpt4o, R"("Removed","invert":true)");
  BOOST_TEST(plain(gpt4o, "aBe's12") == (ids{'a', 'B', 257, 's', 258}), each);
}

BOOST_AUTO_TEST_CASE(steps_behind_byte_level_cut_at_digits_of_the_byte_alphabet) {
  json_tokenizer t;
  t.join("1", "2").join("12", "3").join("123", "4").join("\xC2", "\xBD").join(".", "a").join("+", "+");
  t.pre_tokenizer =
      R"({"type":"Sequence","pretokenizers":[{"type":"Punctuation","behavior":"Contiguous"},)"
      R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":true},)"
      R"({"type":"Digits","individual_digits":false},)"
      R"({"type":"Split","pattern":{"Regex":"[0-9][0-9][0-9]"},"behavior":"Isolated","invert":false}]})";
  const tokenizer k = t.load();
  BOOST_TEST(k.kind() == "byte-level BPE (falcon)");
  BOOST_TEST(plain(k, "1234") == (ids{257, '4'}), each);
  BOOST_TEST(plain(k, "\xC2\xBD") == (ids{0xC2, 0xBD}), each);  // 1/2 is a digit as it is written there
  BOOST_TEST(plain(k, ".a") == (ids{'.', 'a'}), each);
  BOOST_TEST(plain(k, "++") == (ids{261}), each);
}

BOOST_AUTO_TEST_CASE(a_blank_is_put_in_front_where_byte_level_says_so) {
  json_tokenizer t = english();
  t.pre_tokenizer = R"({"type":"ByteLevel","add_prefix_space":true,"use_regex":true})";
  const tokenizer k = t.load();
  BOOST_TEST(plain(k, "the") == (ids{258}), each);
  BOOST_TEST(plain(k, " the") == (ids{258}), each);
  BOOST_TEST(plain(k, "").empty());
}

BOOST_AUTO_TEST_CASE(byte_fallback_changes_nothing_where_byte_level_tokens_have_nothing_to_fall_back_to) {
  json_tokenizer t = english();
  t.options = R"("byte_fallback":true,)";
  BOOST_TEST(t.load().content_hash() == english().load().content_hash());
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_utf8_are_their_own_tokens) {
  const tokenizer t = english().load();
  const std::string text = "he\xFFhe\xE2\x82 the\xC3";
  BOOST_TEST(plain(t, text) == (ids{256, 0xFF, 256, 0xE2, 0x82, 258, 0xC3}), each);
  BOOST_TEST(t.decode(plain(t, text)) == text);
}

BOOST_AUTO_TEST_CASE(sentencepiece_forms_fall_back_to_bytes) {
  json_tokenizer t = character_tokenizer({"\xE2\x96\x81", "a", "b"});
  t.join("\xE2\x96\x81", "a").join("a", "b");
  const tokenizer k = t.load();
  BOOST_TEST(k.kind() == "SentencePiece BPE");
  BOOST_TEST(plain(k, "ab a") == (ids{261, 260, 261}), each);
  BOOST_TEST(plain(k, "\xC3\xA9") == (ids{258, 2 + 0xC3, 2 + 0xA9}), each);
  BOOST_TEST(plain(k,
                   "a\xFF"
                   "a") == (ids{261, 2 + 0xFF, 259}),
             each);  // nothing is put in front of the second a
  BOOST_TEST(k.bytes(261) == " a");
  BOOST_TEST(k.bytes(2 + 0x0A) == "\n");
  BOOST_TEST(k.decode(plain(k, "ab \xFF a")) == "ab \xFF a");
  BOOST_TEST(k.encode("a<s>a", special::add) == (ids{261, 1, 261}), each);
}

BOOST_AUTO_TEST_CASE(metaspace_puts_a_blank_in_front_of_the_first_text_only) {
  json_tokenizer t = character_tokenizer({"\xE2\x96\x81", "a", "b"});
  t.join("\xE2\x96\x81", "a");
  t.normalizer = "null";
  t.pre_tokenizer = R"({"type":"Metaspace","replacement":"\u2581","prepend_scheme":"first","split":false})";
  const tokenizer k = t.load();
  BOOST_TEST(k.encode("a<s>a a", special::add) == (ids{261, 1, 259, 261}), each);
  BOOST_TEST(k.encode(" a", special::add) == (ids{261}), each);
  t.pre_tokenizer = R"({"type":"Metaspace","replacement":"\u2581","prepend_scheme":"always","split":true})";
  t.decoder = R"({"type":"Metaspace","replacement":"\u2581","prepend_scheme":"always","split":true})";
  const tokenizer always = t.load();
  BOOST_TEST(always.encode("a<s>a", special::add) == (ids{261, 1, 261}), each);
  BOOST_TEST(always.decode(plain(always, "a a")) == "a a");
}

BOOST_AUTO_TEST_CASE(a_mebibyte_of_one_letter_is_a_second_at_most) {
  json_tokenizer t;
  for (int size = 1; size <= 512; size *= 2) {
    t.join(std::string(static_cast<std::size_t>(size), 'a'),
           std::string(static_cast<std::size_t>(size), 'a'));
  }
  BOOST_TEST(plain(t.load(), std::string(1U << 20, 'a')) == ids(1024, 265), each);
}

BOOST_AUTO_TEST_CASE(inconsistent_vocabularies_are_refused_with_the_token) {
  json_tokenizer t = english();
  t.merges.emplace_back("h", "x");
  BOOST_TEST(refused(t, "merge 5 needs the token 'hx'"));
  t = english();
  t.merges.push_back(t.merges[0]);
  BOOST_TEST(refused(t, "merges 0 and 5 join the same pair"));
  t = english();
  t.added = R"([{"id":300,"content":"<x>"}])";
  BOOST_TEST(refused(t, "token '<x>' has id 300, but there are 262 tokens"));
  t.added = R"([{"id":256,"content":"<x>"}])";
  BOOST_TEST(refused(t, "tokens 'he' and '<x>' have the same id 256"));
  t.added = R"([{"id":261,"content":"<x>"},{"id":261,"content":"<y>"}])";
  BOOST_TEST(refused(t, "tokens '<x>' and '<y>' have the same id 261"));
  t.added = R"([{"id":4000000000,"content":"<x>"}])";
  BOOST_TEST(refused(t, "id 4000000000"));
  t.added = R"([{"id":261,"content":""}])";
  BOOST_TEST(refused(t, "content of 0 bytes"));
  const std::string model = R"({"model":{"type":"BPE","vocab":)";
  const std::string level = R"("pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false}})";
  BOOST_TEST(
      refused_text(model + R"({"a":0,"b":2},"merges":[]},)" + level, "'b' has id 2, but there are 2 tokens"));
  BOOST_TEST(
      refused_text(model + R"({"a":0,"b":0},"merges":[]},)" + level, "'a' and 'b' have the same id 0"));
  BOOST_TEST(refused_text(model + R"({"a":-1},"merges":[]},)" + level, "model.vocab.a: is an integer (-1)"));
  BOOST_TEST(refused_text(model + R"({"a":"x"},"merges":[]},)" + level, "model.vocab.a"));
  BOOST_TEST(refused_text(model + R"({},"merges":[]},)" + level, "0 tokens"));
  BOOST_TEST(refused_text(model + R"({"a":0},"merges":["a"]},)" + level, "merges[0]"));
  BOOST_TEST(refused_text(model + R"({"a":0},"merges":[["a"]]},)" + level, "merges[0]"));
  BOOST_TEST(refused_text(model + R"({"a":0},"merges":[7]},)" + level, "merges[0]"));
  BOOST_TEST(refused_text(model + R"({"a":0}},)" + level, "\"merges\" is missing"));
}

BOOST_AUTO_TEST_CASE(what_is_not_understood_is_refused_by_name) {
  const auto with = [](std::string json_tokenizer::*member, const std::string& value) {
    json_tokenizer t = english();
    t.*member = value;
    return t;
  };
  const auto pre = &json_tokenizer::pre_tokenizer;
  BOOST_TEST(refused(with(pre, R"({"type":"Whitespace"})"), "pre_tokenizer: pre_tokenizer 'Whitespace'"));
  BOOST_TEST(refused(with(pre, R"({"type":"Split","pattern":{"Regex":"[a-z]+"},"behavior":"Isolated"})"),
                     "'[a-z]+'"));
  BOOST_TEST(refused(with(pre, R"({"type":"ByteLevel","new_option":1})"), "option 'new_option'"));
  BOOST_TEST(refused(with(pre, R"({"type":"Sequence","pretokenizers":[{"type":"ByteLevel"},)"
                               R"({"type":"Punctuation"}]})"),
                     "after ByteLevel, pre_tokenizer 'Punctuation'"));
  BOOST_TEST(refused(
      with(pre, R"({"type":"Sequence","pretokenizers":[{"type":"ByteLevel"},{"type":"Split","pattern":)"
                R"({"Regex":"\\p{N}"},"behavior":"Isolated"}]})"),
      "after ByteLevel, pre_tokenizer 'Split'"));
  BOOST_TEST(refused(with(pre, R"({"type":"Punctuation","behavior":"Merged"})"), "behavior 'Merged'"));
  BOOST_TEST(refused(with(pre, R"({"type":"UnicodeScripts"})"), "pre_tokenizer 'UnicodeScripts'"));
  BOOST_TEST(refused(with(pre, "null"), "BPE 'without ByteLevel pre_tokenizer and without byte_fallback'"));
  BOOST_TEST(refused(with(pre, R"({"type":7})"), "pre_tokenizer.type"));
  const auto normalizer = &json_tokenizer::normalizer;
  BOOST_TEST(refused(with(normalizer, R"({"type":"Lowercase"})"), "normalizer 'Lowercase'"));
  BOOST_TEST(refused(with(normalizer, R"({"type":"Replace","pattern":{"Regex":"a"},"content":"b"})"),
                     "option 'Regex'"));
  BOOST_TEST(
      refused(with(normalizer, R"({"type":"Replace","pattern":{"String":"a"},"content":"aa"})"), "'aa'"));
  const auto post = &json_tokenizer::post_processor;
  BOOST_TEST(refused(with(post, R"({"type":"RobertaProcessing"})"), "post_processor 'RobertaProcessing'"));
  BOOST_TEST(refused(with(post, frame), "id 261, but there are 261 tokens"));
  BOOST_TEST(refused(with(post, R"({"type":"TemplateProcessing","single":[],"special_tokens":{}})"),
                     "no Sequence A"));
  BOOST_TEST(refused(with(&json_tokenizer::decoder, R"({"type":"WordPiece"})"), "decoder 'WordPiece'"));
  const auto options = &json_tokenizer::options;
  BOOST_TEST(refused(with(options, R"("dropout":0.1,)"), "option 'dropout'"));
  BOOST_TEST(refused(with(options, R"("end_of_word_suffix":"</w>",)"), "option 'end_of_word_suffix'"));
  json_tokenizer fallback = with(options, R"("byte_fallback":true,)");
  fallback.tokens.push_back("<0x0A>");
  BOOST_TEST(refused(fallback, "option 'byte_fallback'"));
  BOOST_TEST(refused(with(options, R"("unk_token":"<unk>",)"), "unk_token '<unk>'"));
  BOOST_TEST(refused_text(R"({"model":{"type":"Unigram","vocab":{},"merges":[]}})", "'Unigram'"));
  BOOST_TEST(refused_text(R"({"model":{"type":"BPE"},"surprise":1})", "option 'surprise'"));
  BOOST_TEST(refused_text(R"({"version":"2.0","model":{"type":"BPE"}})", "version '2.0'"));
  BOOST_TEST(refused_text("{}", "\"model\" is missing"));
}

BOOST_AUTO_TEST_CASE(a_file_cut_at_any_byte_is_an_error_of_data) {
  json_tokenizer t = framed();
  const std::string text = t.text();
  const scratch_folder folder;
  std::size_t good = 0;
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto path = folder.write("tokenizer.json", std::string_view(text).substr(0, size));
    good += fails_with(status::data, "tokenizer.json", [&] { tokenizer::from_json(path); });
  }
  BOOST_TEST(good == text.size());
  BOOST_TEST(fails_with(status::no_input, "absent.json",
                        [&] { tokenizer::from_json(folder.path() / "absent.json"); }));
}

BOOST_AUTO_TEST_CASE(a_byte_changed_anywhere_loads_or_is_an_error_and_never_more) {
  const std::string text = framed().text();
  const scratch_folder folder;
  std::size_t loaded = 0, failed = 0;
  for (std::size_t at = 0; at < text.size(); at += 3) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
    try {
      const tokenizer t = tokenizer::from_json(folder.write("tokenizer.json", changed));
      t.encode("hello <b> 12", special::add);
      ++loaded;
    } catch (const error& e) {
      BOOST_TEST_REQUIRE(static_cast<int>(e.code()) == static_cast<int>(status::data));
      ++failed;
    }
  }
  BOOST_TEST(loaded > 0U);
  BOOST_TEST(failed > loaded);
}

BOOST_AUTO_TEST_SUITE_END()
