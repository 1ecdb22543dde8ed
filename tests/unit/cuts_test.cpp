// SPDX-License-Identifier: Apache-2.0
// Prompts cut from paragraphs: which paragraphs there are, where the cuts fall (the same on every platform,
// hence literal values), and the text helpers they rest on.
#include <depthlens/data/reader.hpp>

#include "support/data_files.hpp"
#include "support/reference.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace depthlens;
using depthlens::test::check_fails;
using depthlens::test::scratch_folder;

namespace {

std::vector<std::string> paragraphs_of(paragraph_source& source) {
  std::vector<std::string> all;
  for (std::string next; source.next(next);) all.push_back(next);
  return all;
}

// The cuts; paragraphs that give none, which come behind them, are added to `left_out` where it is given.
std::vector<record> read_cuts(const std::filesystem::path& path, const cut_options& options,
                              std::vector<record>* left_out = nullptr) {
  const auto reader = open_records(path, detect_format(path), "cut", options);
  std::vector<record> records, others;
  for (record next; reader->next(next);) {
    BOOST_TEST(next.index == records.size() + others.size());
    if (next.left_out.empty()) BOOST_TEST(others.empty());
    (next.left_out.empty() ? records : others).push_back(next);
  }
  if (left_out != nullptr) *left_out = others;
  return records;
}

// "w000 w001 ... ": n words of four letters.
std::string words(int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += cat(i == 0 ? "" : " ", "w", i / 100, i / 10 % 10, i % 10);
  return out;
}

std::string sentence(std::string_view comments, std::string_view form, std::string_view misc = "_") {
  return cat(comments, "1\t", form, "\t_\tX\t_\t_\t_\t_\t_\t", misc, "\n\n");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cuts)

BOOST_AUTO_TEST_CASE(the_generator_gives_these_numbers_on_every_platform) {
  cut_generator generator(42, 0), other(42, 1), again(42, 0);
  const std::uint64_t first = generator.next();
  BOOST_TEST(first == again.next());
  BOOST_TEST(first != other.next());
  BOOST_TEST(first == 14241928491073317330U);
  BOOST_TEST(generator.next() == 7040222520599051659U);
  BOOST_TEST(cut_generator(0, 0).next() == 6235967106033911276U);
  BOOST_TEST(cut_generator(42, 7).below(1000) == 296U);
}

BOOST_AUTO_TEST_CASE(every_number_below_the_bound_is_equally_likely) {
  cut_generator generator(1, 2);
  std::vector<int> seen(7);
  for (int i = 0; i < 70000; ++i) ++seen[generator.below(7)];
  // 10,000 each, standard deviation 93: six of them.
  for (const int n : seen) BOOST_TEST((n > 9440 && n < 10560), n);
  BOOST_TEST(generator.below(1) == 0U);
  for (int i = 0; i < 64; ++i) BOOST_TEST(generator.below(0xC000000000000000U) < 0xC000000000000000U);
}

BOOST_AUTO_TEST_CASE(drawn_numbers_are_distinct_and_ascending_and_every_set_is_equally_likely) {
  std::vector<int> seen(10 * 10);
  for (std::uint64_t stream = 0; stream < 20000; ++stream) {
    cut_generator generator(3, stream);
    const std::vector<std::uint64_t> two = draw_distinct(generator, 5, 2);
    BOOST_REQUIRE_EQUAL(two.size(), 2U);
    BOOST_REQUIRE(two[0] < two[1] && two[1] < 5);
    ++seen[two[0] * 10 + two[1]];
  }
  // Ten pairs, 2,000 each, standard deviation 42.
  BOOST_TEST(std::count_if(seen.begin(), seen.end(), [](int n) { return n > 1750 && n < 2250; }) == 10);
  cut_generator generator(3, 0);
  BOOST_TEST((draw_distinct(generator, 3, 4) == std::vector<std::uint64_t>{0, 1, 2}));
  BOOST_TEST((draw_distinct(generator, 3, 3) == std::vector<std::uint64_t>{0, 1, 2}));
  BOOST_TEST(draw_distinct(generator, 0, 4).empty());
}

BOOST_AUTO_TEST_CASE(cut_points_are_the_same_on_every_platform) {
  const std::string paragraph = words(60);
  const auto ends = [&](std::uint64_t number, const cut_options& options) {
    return cut_points(paragraph, number, options);
  };
  BOOST_TEST((ends(0, {}) == std::vector<std::size_t>{44, 74, 114, 194}));
  BOOST_TEST((ends(1, {}) == std::vector<std::size_t>{94, 119, 224, 244}));
  BOOST_TEST((ends(0, {.cuts = 4, .seed = 7}) == std::vector<std::size_t>{69, 74, 94, 164}));
  BOOST_TEST((ends(5, {.cuts = 1}) == std::vector<std::size_t>{169}));
}

BOOST_AUTO_TEST_CASE(a_prompt_ends_after_a_word_that_is_not_the_last_and_has_17_characters) {
  // Words end at 4, 9, 14, 19, ...: the first prompt that is long enough has 19 characters.
  const std::string paragraph = words(45);
  const std::vector<std::size_t> all = cut_points(paragraph, 0, {.cuts = 1000});
  BOOST_REQUIRE_EQUAL(all.size(), 41U);
  BOOST_TEST(all.front() == 19U);
  BOOST_TEST(all.back() == paragraph.size() - 5);
  const std::string exact = "123456789 1234567 " + std::string(200, 'x');
  BOOST_TEST((cut_points(exact, 0, {}) == std::vector<std::size_t>{17}));
  BOOST_TEST(cut_points("123456789 123456 " + std::string(200, 'x'), 0, {}).empty());
}

BOOST_AUTO_TEST_CASE(paragraphs_of_200_characters_or_less_or_of_one_word_give_no_prompt) {
  const std::string ends_at_200 = words(40) + "x", ends_at_201 = words(40) + "xx";
  BOOST_REQUIRE_EQUAL(ends_at_200.size(), 200U);
  BOOST_TEST(cut_points(ends_at_200, 0, {}).empty());
  BOOST_TEST(cut_points(ends_at_201, 0, {}).size() == 4U);
  BOOST_TEST(cut_points(ends_at_200, 0, {.min_paragraph = 199}).size() == 4U);
  BOOST_TEST(cut_points(std::string(500, 'x'), 0, {}).empty());
  // Characters are counted, not bytes: 150 letters of two bytes each.
  std::string accents;
  for (int i = 0; i < 30; ++i) accents += "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9 ";
  BOOST_TEST(cut_points(utf8_strip(accents), 0, {}).empty());
  BOOST_TEST(cut_points(utf8_strip(accents), 0, {.min_paragraph = 148}).size() == 4U);
}

BOOST_AUTO_TEST_CASE(cut_records_carry_the_source_text_and_a_running_number) {
  const scratch_folder folder;
  const std::string spaced = "Two  blanks\xC2\xA0" + words(60);
  const auto path = folder.write("t.txt", "short\n\n" + spaced + "\n\n" + words(50) + "\n");
  const auto reader = open_records(path, file_format::text, "cut");
  std::vector<record> records;
  for (record next; reader->next(next);) records.push_back(next);
  BOOST_REQUIRE_EQUAL(records.size(), 9U);
  BOOST_TEST(records.back().left_out == "short paragraph");
  BOOST_TEST(*records.back().find("prompt") == "short");
  BOOST_TEST(records.back().index == 8U);
  records.pop_back();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const std::string& prompt = *records[i].find("prompt");
    const std::string& text = *records[i].find("text");
    BOOST_TEST(records[i].index == i);
    BOOST_TEST(records[i].kind == "cut");
    BOOST_TEST(records[i].find("answer") == nullptr);
    BOOST_TEST(text == (i < 4 ? spaced : words(50)));
    BOOST_TEST(text.starts_with(prompt));
    BOOST_TEST((text[prompt.size()] == ' ' && prompt.back() != ' '));
    if (i % 4 > 0) BOOST_TEST(prompt.size() > records[i - 1].find("prompt")->size());
  }
}

BOOST_AUTO_TEST_CASE(the_cuts_of_a_paragraph_do_not_depend_on_other_paragraphs_being_kept) {
  const scratch_folder folder;
  const std::string rest = "\n\n" + words(60) + "\n";
  const auto one = read_cuts(folder.write("a.txt", "short" + rest), {}),
             two = read_cuts(folder.write("b.txt", words(60) + rest), {});
  BOOST_REQUIRE_EQUAL(one.size(), 4U);
  BOOST_REQUIRE_EQUAL(two.size(), 8U);
  for (std::size_t i = 0; i < 4; ++i) BOOST_TEST((one[i].fields == two[i + 4].fields));
}

BOOST_AUTO_TEST_CASE(zero_cuts_are_a_usage_error) {
  const scratch_folder folder;
  const auto path = folder.write("a.txt", "a");
  check_fails([&] { open_records(path, file_format::text, "cut", {.cuts = 0}); }, status::usage,
              "must be 1 or more");
}

BOOST_AUTO_TEST_CASE(plain_text_paragraphs_are_divided_by_blank_lines_and_wrapped_lines_joined) {
  const scratch_folder folder;
  text_paragraphs source(
      folder.write("t.txt", "\n \t\n  One\r\ntwo  three \r\n\t\r\n\n\xC2\xA0\nFour\n\nFive six"));
  BOOST_TEST((paragraphs_of(source) == std::vector<std::string>{"One two  three", "Four", "Five six"}));
  text_paragraphs empty(folder.write("e.txt", ""));
  BOOST_TEST(paragraphs_of(empty).empty());
}

BOOST_AUTO_TEST_CASE(text_that_is_not_utf8_and_endless_paragraphs_are_refused_with_their_line) {
  const scratch_folder folder;
  const auto refused = [&](const std::string& content, std::string_view line, std::string_view why) {
    const auto path = folder.write("t.txt", content);
    check_fails([&] { read_cuts(path, {}); }, status::data, path.string() + ":" + std::string(line) + ": ",
                why);
  };
  refused("one\n\ntwo\xC0\xAF\n", "3", "not UTF-8");
  refused(std::string("one\n\nt\0w\0o\0\n", 12), "3", "a NUL byte");
  refused("one\n" + std::string(max_item_bytes + 1, 'x'), "2", "the line is longer than 16 MiB");
  refused("one\n" + std::string(max_item_bytes, 'x'), "2", "the paragraph is longer than 16 MiB");
}

BOOST_AUTO_TEST_CASE(treebank_paragraphs_follow_the_marks) {
  const scratch_folder folder;
  const auto path =
      folder.write("t.conllu", sentence("# newdoc id = d\n# newpar id = p\n", "One") +
                                   sentence("", "two", "SpaceAfter=No") + sentence("", "three") +
                                   sentence("# newpar\n", "Four") + sentence("# newdoc\n# newpar\n", "Five"));
  conllu_paragraphs source(path, 0);
  BOOST_TEST((paragraphs_of(source) == std::vector<std::string>{"One twothree", "Four", "Five"}));
}

BOOST_AUTO_TEST_CASE(sentences_are_joined_by_the_white_space_that_is_spelled_out) {
  const scratch_folder folder;
  std::string content = "# newpar\n";
  for (const char* misc : {"SpacesAfter=\\s\\s", "x=y|SpacesAfter=\\t\xC2\xA0", "SpacesAfter=\\r",
                           "SpacesAfter=\\s|SpaceAfter=No", "SpacesAfter=\\r\\n\\s", "SpacesAfter=",
                           "SpacesAfter=x", "SpacesAfter=\\p", "SpacesAfter=\\", "SpacesAfter=\\n\\n"})
    content += sentence("", "a", misc);
  conllu_paragraphs source(
      folder.write("t.conllu", content + sentence("", "a") + sentence("# newpar\n", "b")), 0);
  BOOST_TEST((paragraphs_of(source) == std::vector<std::string>{"a  a\t\xC2\xA0"
                                                                "a\raa a a a a a a",
                                                                "b"}));
}

BOOST_AUTO_TEST_CASE(sentences_without_paragraph_marks_are_gathered_until_they_are_long_enough) {
  const scratch_folder folder;
  std::string content;
  for (const char* form : {"aaaa", "bbbb", "cccc", "dddd", "eeee"}) content += sentence("", form);
  conllu_paragraphs unmarked(folder.write("u.conllu", content), 8);
  BOOST_TEST((paragraphs_of(unmarked) == std::vector<std::string>{"aaaa bbbb", "cccc dddd", "eeee"}));
  content += sentence("# newdoc\n", "ffff") + sentence("# newpar\n", "gggg") + sentence("", "hhhh") +
             sentence("", "iiii") + sentence("# newdoc\n", "jjjj") + sentence("", "kkkk") +
             sentence("", "llll");
  conllu_paragraphs mixed(folder.write("m.conllu", content), 8);
  BOOST_TEST((paragraphs_of(mixed) == std::vector<std::string>{"aaaa bbbb", "cccc dddd", "eeee", "ffff",
                                                               "gggg hhhh iiii", "jjjj kkkk", "llll"}));
}

BOOST_AUTO_TEST_CASE(broken_utf8_is_found_and_replaced_as_python_does) {
  const auto broken = [](std::string_view text) { return utf8_first_broken(text); };
  BOOST_TEST(broken("plain ascii text of some length") == std::string_view::npos);
  BOOST_TEST(broken("\xF4\x8F\xBF\xBF\xED\x9F\xBF\xEE\x80\x80") == std::string_view::npos);
  for (const char* bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xC3", "\xE2\x82", "\xF0\x9F\x98", "\xC3x"})
    BOOST_TEST(broken("12345678" + std::string(bad)) == 8U);
  const std::string mark = "\xEF\xBF\xBD";
  BOOST_TEST(utf8_replace_broken("a\xE2\x82z\xF0\x9F\x98") == "a" + mark + "z" + mark);
  BOOST_TEST(utf8_replace_broken("\xE0\x80\x80") == mark + mark + mark);
  BOOST_TEST(utf8_replace_broken("\xED\xA0\x80") == mark + mark + mark);
  BOOST_TEST(utf8_replace_broken("\xF0\x9F\x98\x80\xC3") == "\xF0\x9F\x98\x80" + mark);
}

BOOST_AUTO_TEST_CASE(words_are_divided_where_python_divides_them) {
  for (const char* blank : {"\t",           "\n",           "\v",           "\f",           "\r",
                            "\x1C",         "\x1D",         "\x1E",         "\x1F",         " ",
                            "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x8A",
                            "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"})
    BOOST_TEST(utf8_words(cat(blank, "a", blank, blank, "b", blank)).size() == 2U);
  for (const char* no_blank : {"\x1B", "\xE2\x80\x8B", "\xE2\x81\xA0", "\xEF\xBB\xBF", "\xE1\xA0\x8E", "-"})
    BOOST_TEST(utf8_words(cat("a", no_blank, "b")).size() == 1U);
  BOOST_TEST(utf8_strip("\xC2\xA0 a b\t") == "a b");
  BOOST_TEST(utf8_strip(" \t ").empty());
  BOOST_TEST(utf8_words("").empty());
}

BOOST_AUTO_TEST_CASE(the_reference_treebank_has_these_paragraphs_and_cuts,
                     *boost::unit_test::precondition(test::with_reference)) {
  const auto path = test::reference_path() / "data/ud/en_ewt-ud-dev.conllu";
  std::vector<record> left_out;
  const std::vector<record> records = read_cuts(path, {}, &left_out);
  BOOST_TEST(records.size() == 688U);
  BOOST_TEST(left_out.size() == 750U - 172U);
  std::set<std::string> texts, prompts;
  for (const record& cut : records) {
    texts.insert(*cut.find("text"));
    prompts.insert(*cut.find("prompt"));
    BOOST_TEST(cut.find("text")->starts_with(*cut.find("prompt")));
  }
  BOOST_TEST(texts.size() == 172U);
  BOOST_TEST(prompts.size() > 680U);
  conllu_paragraphs all(path, 200);
  BOOST_TEST(paragraphs_of(all).size() == 750U);
}

BOOST_AUTO_TEST_SUITE_END()
