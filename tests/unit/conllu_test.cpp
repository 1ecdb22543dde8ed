// SPDX-License-Identifier: Apache-2.0
// CoNLL-U: words found in the text as it was written, multiword tokens, empty nodes, and every refusal with
// its line.
#include <depthlens/data/reader.hpp>

#include "support/data_files.hpp"
#include "support/reference.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace depthlens;
using depthlens::test::check_fails;
using depthlens::test::scratch_folder;

namespace {

std::vector<record> read_sentences(const std::filesystem::path& path) {
  const auto reader = open_records(path, file_format::conllu, "sentence");
  std::vector<record> records;
  for (record next; reader->next(next);) records.push_back(next);
  return records;
}

// A word line; `misc` is the last column.
std::string word(std::string_view id, std::string_view form, std::string_view upos,
                 std::string_view misc = "_") {
  return cat(id, "\t", form, "\t_\t", upos, "\t_\t_\t_\t_\t_\t", misc, "\n");
}

// The words as "tag:text", "*" after the tag in the tail of a multiword token.
std::string tagged(const record& sentence) {
  std::string out;
  for (const tagged_word& w : sentence.words)
    out += cat(out.empty() ? "" : " ", w.tag, w.in_multiword_tail ? "*" : "", ":",
               sentence.find("text")->substr(w.begin, w.end - w.begin));
  return out;
}

void check_sentence(const std::string& content, std::string_view text, std::string_view words) {
  const scratch_folder folder;
  const std::vector<record> records = read_sentences(folder.write("s.conllu", content));
  BOOST_REQUIRE_EQUAL(records.size(), 1U);
  BOOST_TEST(*records[0].find("text") == text);
  BOOST_TEST(tagged(records[0]) == words);
}

void check_refused(const std::string& content, std::string_view line, std::string_view why) {
  const scratch_folder folder;
  const auto path = folder.write("s.conllu", content);
  check_fails([&] { read_sentences(path); }, status::data, path.string() + ":" + std::string(line) + ": ",
              why);
}

const std::string dont = "# text = I don't.\n" + word("1", "I", "PRON") +
                         word("2-3", "don't", "_", "SpaceAfter=No") + word("2", "do", "AUX") +
                         word("3", "n't", "PART") + word("4", ".", "PUNCT");

}  // namespace

BOOST_AUTO_TEST_SUITE(conllu)

BOOST_AUTO_TEST_CASE(words_get_their_bytes_in_the_text) {
  check_sentence("# sent_id = 1\n# text = \xC3\x89t\xC3\xA9, late\n" +
                     word("1", "\xC3\x89t\xC3\xA9", "NOUN", "A=B|SpaceAfter=No") + word("2", ",", "PUNCT") +
                     word("3", "late", "_", "SpaceAfter=Nope") + "\n",
                 "\xC3\x89t\xC3\xA9, late", "NOUN:\xC3\x89t\xC3\xA9 PUNCT:, _:late");
}

BOOST_AUTO_TEST_CASE(a_multiword_token_gives_its_bytes_to_all_its_words_and_only_the_first_is_a_target) {
  check_sentence(dont + "\n", "I don't.", "PRON:I AUX:don't PART*:don't PUNCT:.");
}

BOOST_AUTO_TEST_CASE(a_range_follows_its_own_space_after_and_not_that_of_its_words) {
  check_sentence(word("1-2", "zum", "_") + word("1", "zu", "ADP", "SpaceAfter=No") +
                     word("2", "dem", "DET", "SpaceAfter=No") + word("3", "Haus", "NOUN"),
                 "zum Haus", "ADP:zum DET*:zum NOUN:Haus");
}

BOOST_AUTO_TEST_CASE(empty_nodes_are_passed_over) {
  check_sentence("# text = go on\n" + word("0.1", "you", "PRON") + word("1", "go", "VERB") +
                     word("1.1", "x", "_") + word("1.2", "y", "X") + word("2", "on", "ADV") +
                     word("2.1", "z", "X") + "\n",
                 "go on", "VERB:go ADV:on");
}

BOOST_AUTO_TEST_CASE(a_missing_text_is_made_from_forms_and_space_after) {
  check_sentence(word("1", "A", "DET") + word("2", "dog", "NOUN", "SpaceAfter=No") + word("3", "!", "PUNCT"),
                 "A dog!", "DET:A NOUN:dog PUNCT:!");
  check_sentence(
      "# text_en = something else\n" + word("1", "10 000", "NUM") + word("2", "x", "SYM", "SpaceAfter=No"),
      "10 000 x", "NUM:10 000 SYM:x");
  check_sentence(word("1", "A", "DET", "SpacesAfter=\\s\\s") + word("2", "dog", "NOUN", "SpacesAfter=\\n"),
                 "A  dog", "DET:A NOUN:dog");
}

BOOST_AUTO_TEST_CASE(more_white_space_in_the_text_than_one_blank_is_accepted) {
  check_sentence("#text=  a \xC2\xA0 b \n" + word("1", "a", "DET") + word("2", "b", "NOUN"), "a \xC2\xA0 b",
                 "DET:a NOUN:b");
}

BOOST_AUTO_TEST_CASE(crlf_extra_blank_lines_and_a_missing_last_blank_line_are_accepted) {
  std::string crlf = "\n\n" + dont + "\n\n\n" + dont;
  for (std::size_t at = 0; (at = crlf.find('\n', at)) != crlf.npos; at += 2) crlf.insert(at, 1, '\r');
  const scratch_folder folder;
  for (const std::string& content :
       {crlf, "\n" + dont + "\n" + dont, dont + "\n" + dont.substr(0, dont.size() - 1)}) {
    const std::vector<record> records = read_sentences(folder.write("s.conllu", content));
    BOOST_REQUIRE_EQUAL(records.size(), 2U);
    BOOST_TEST(records[1].index == 1U);
    BOOST_TEST(records[1].kind == "sentence");
    BOOST_TEST(tagged(records[1]) == "PRON:I AUX:don't PART*:don't PUNCT:.");
    BOOST_TEST(records[0].content_hash() == records[1].content_hash());
  }
  BOOST_TEST(read_sentences(folder.write("s.conllu", "")).empty());
  BOOST_TEST(read_sentences(folder.write("s.conllu", "\n\n")).empty());
}

BOOST_AUTO_TEST_CASE(lines_with_another_number_of_columns_or_an_empty_one_are_refused) {
  const std::string good = word("1", "a", "DET");
  check_refused("# x\n" + good.substr(0, good.size() - 3) + "\n", "2",
                "expected 10 columns divided by tabs, found 9");
  check_refused(good.substr(0, good.size() - 1) + "\t_\n", "1", "found 11");
  check_refused(good + "1 a DET\n", "2", "found 1");
  check_refused(word("1", "", "DET"), "1", "column 2 is empty");
  check_refused(word("1", "a", "DET", ""), "1", "column 10 is empty");
  check_refused(word("1", " a", "DET"), "1", "begins or ends with white space");
}

BOOST_AUTO_TEST_CASE(word_ids_must_be_consecutive) {
  const std::string one = word("1", "a", "DET");
  check_refused(word("2", "a", "DET"), "1", "word id 2 is out of order, expected 1");
  check_refused(one + one, "2", "word id 1 is out of order, expected 2");
  check_refused(one + word("3", "b", "X"), "2", "expected 2");
  for (const char* id :
       {"x", "1x", "01", "-1", "+1", "1-", "1-2-3", "1.", "1..1", "1,2", "99999999999999999999", " 1"})
    check_refused(word(id, "a", "DET"), "1", "is no word id; expected 1, 1-2 or 1.1");
  check_refused(one + word("2.1", "e", "X"), "2", "empty node 2.1 is out of order, expected 1.1");
  check_refused(one + word("1.2", "e", "X"), "2", "empty node 1.2 is out of order, expected 1.1");
}

BOOST_AUTO_TEST_CASE(ranges_must_hold_two_words_or_more_and_not_overlap) {
  const std::string one = word("1", "a", "DET");
  check_refused(word("1-1", "a", "_") + one, "1", "the range 1-1 is out of order");
  check_refused(word("2-3", "a", "_"), "1", "expected it to begin at 1");
  check_refused(word("1-2", "ab", "_") + word("1-2", "ab", "_"), "2", "expected it to begin at 3");
  check_refused(word("1-2", "ab", "_") + one + word("2-3", "bc", "_"), "3", "expected it to begin at 3");
  check_refused(word("1-3", "ab", "_") + one + word("2", "b", "X") + "\n" + one, "1", "ends before word 3");
  check_refused(word("1-18446744073709551615", "ab", "_") + one, "1",
                "ends before word 18446744073709551615");
}

BOOST_AUTO_TEST_CASE(tags_must_be_universal_or_unknown) {
  for (const char* tag : {"DT", "noun", "NOUN ", "VB", "PUNC"})
    check_refused("\n" + word("1", "a", tag), "2", std::string("'") + tag + "' is no universal POS tag");
  for (const char* tag : {"ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON",
                          "PROPN", "PUNCT", "SCONJ", "SYM", "VERB", "X", "_"})
    check_sentence(word("1", "a", tag), "a", std::string(tag) + ":a");
}

BOOST_AUTO_TEST_CASE(a_text_that_disagrees_with_the_words_is_refused) {
  const std::string words =
      word("1", "a", "DET") + word("2", "dog", "NOUN", "SpaceAfter=No") + word("3", ".", "PUNCT");
  check_refused("# text = a cat.\n" + words, "3", "'dog' is not what \"# text\" (line 1) has at its byte 2");
  check_refused("# text = a dog .\n" + words, "4", "'.' is not what");
  check_refused("# text = adog.\n" + words, "2", "no blank after 'a'");
  check_refused("# text = a dog. Yes\n" + words, "1", "goes on after the last word, at byte 7");
  check_refused("# text = a dog\n" + words, "4", "'.' is not what");
  check_refused("# text =\n" + words, "2", "'a' is not what");
  check_refused("# text = a\n# text = a\n" + words, "2", "twice");
}

BOOST_AUTO_TEST_CASE(misplaced_comments_and_sentences_without_words_are_refused) {
  const std::string one = word("1", "a", "DET");
  check_refused(one + "# text = b\n" + one, "2", "a comment inside a sentence");
  check_refused(one + "\n# newpar\n\n" + one, "3", "a sentence without words");
  check_refused("# only a comment", "1", "a sentence without words");
  check_refused(word("0.1", "e", "X") + "\n", "1", "a sentence without words");
}

BOOST_AUTO_TEST_CASE(broken_text_and_endless_sentences_are_refused) {
  check_refused("# text = a\n" + word("1", "a\xFF", "DET"), "2", "not UTF-8");
  check_refused("# text = a\n" + word("1", std::string("a\0", 2), "DET"), "2", "a NUL byte");
  check_refused(std::string("# text = \0\n", 11) + word("1", "a", "DET"), "1", "a NUL byte");
  check_refused("# " + std::string(max_item_bytes, 'x'), "1", "the line is longer than 16 MiB");
  std::string endless;
  const std::string comment = "# " + std::string(1 << 20, 'x') + "\n";
  for (int i = 0; i < 17; ++i) endless += comment;
  check_refused(endless + word("1", "a", "DET"), "16", "the sentence is longer than 16 MiB");
}

BOOST_AUTO_TEST_CASE(a_file_cut_at_any_byte_gives_an_error_or_whole_sentences) {
  const scratch_folder folder;
  const std::string whole = dont + "\n" + dont + "\n";
  std::size_t errors = 0;
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    const auto path = folder.write("cut.conllu", std::string_view(whole).substr(0, length));
    try {
      for (const record& sentence : read_sentences(path))
        BOOST_TEST(tagged(sentence) == "PRON:I AUX:don't PART*:don't PUNCT:.");
    } catch (const error& failure) {
      ++errors;
      BOOST_TEST((failure.code() == status::data));
      BOOST_TEST(std::string_view(failure.what()).starts_with(path.string() + ":"));
    }
  }
  // Not refused are the empty file and the cuts right before and after the line end of each last word, and
  // after the blank line.
  BOOST_TEST(errors == whole.size() + 1 - 7);
}

BOOST_AUTO_TEST_CASE(every_sentence_of_the_reference_treebank_passes,
                     *boost::unit_test::precondition(test::with_reference)) {
  const std::vector<record> records = read_sentences(test::reference_path() / "data/ud/en_ewt-ud-dev.conllu");
  BOOST_TEST(records.size() == 2001U);
  std::size_t words = 0, tails = 0;
  for (const record& sentence : records) {
    words += sentence.words.size();
    for (const tagged_word& w : sentence.words) tails += w.in_multiword_tail;
  }
  BOOST_TEST(words == 25147U);
  BOOST_TEST(tails == 360U);
}

BOOST_AUTO_TEST_SUITE_END()
