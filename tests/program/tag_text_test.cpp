// SPDX-License-Identifier: Apache-2.0
// share/tag-text.sh: its tags of the demo prose are those that spaCy gave when it was run by hand (spaCy
// 3.8.2, en_core_web_sm 3.8.0, nlp(text); a line of tests/data/prose.upos is a sentence), depthlens reads
// the same paragraphs in its output as in the text, and wrong input is one line. Where the tagger is not
// installed this is reported as skipped; with DEPTHLENS_STRICT, as in continuous integration, it fails.
#include "depthlens/data/conllu.hpp"
#include "depthlens/data/paragraphs.hpp"
#include "program/demo.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>

BOOST_AUTO_TEST_SUITE(tagged_text)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;
using boost::unit_test::precondition;

// As if there were no network: no test installs anything, tests/run.sh does.
const surroundings& offline() {
  static const surroundings none{.environment = {{"PIP_NO_INDEX", "1"}, {"PIP_FIND_LINKS", "/nowhere"}}};
  return none;
}

outcome tag(const std::string& text, const surroundings& s = offline()) {
  return run({"bash", source_tree() / "share/tag-text.sh", text}, s);
}

boost::test_tools::assertion_result with_tagger(boost::unit_test::test_unit_id) {
  static const outcome found = tag("--environment");
  const char* const strict = std::getenv("DEPTHLENS_STRICT");
  boost::test_tools::assertion_result result(found.code == 0 || (strict != nullptr && *strict != '\0'));
  if (!result) result.message() << "there is no tagger (bash share/tag-text.sh --environment): " << found.err;
  return result;
}

// The paragraphs of a file as prompts are cut from them.
template <class Paragraphs, class... Options>
words paragraphs_of(const fs::path& file, Options... options) {
  Paragraphs source(file, options...);
  words out;
  for (std::string paragraph; source.next(paragraph);) out.push_back(paragraph);
  return out;
}

// The demo prose without its tags, paragraphs divided by blank lines.
fs::path plain_prose(const scratch_folder& folder) {
  std::string text;
  for (const std::string& paragraph :
       paragraphs_of<conllu_paragraphs>(demo_data("prose.conllu"), std::uint64_t{0}))
    text += paragraph + "\n\n";
  return folder.write("prose.txt", text);
}

// A sentence's tags, divided by blanks.
std::string tags_of(const conllu_sentence& sentence) {
  std::string out;
  for (const tagged_word& w : sentence.words) out += (out.empty() ? "" : " ") + w.tag;
  return out;
}

// What the script makes of a text, as a file.
fs::path tagged(const scratch_folder& folder, const fs::path& text) {
  const outcome o = tag(text);
  BOOST_REQUIRE_MESSAGE(o.code == 0, o.err);
  return folder.write(text.stem().string() + ".conllu", o.out);
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_demo_prose_has_the_tags_that_spacy_gives_by_hand, *precondition(with_tagger)) {
  const scratch_folder folder;
  const fs::path text = plain_prose(folder), out = tagged(folder, text);
  words tags;
  conllu_parser parser(out);
  for (conllu_sentence sentence; parser.next(sentence);) tags.push_back(tags_of(sentence));
  const words by_hand = lines_of(read_bytes(source_tree() / "tests/data/prose.upos"));
  BOOST_TEST(tags.size() == 275U);
  BOOST_TEST(tags == by_hand, boost::test_tools::per_element());
  BOOST_TEST(
      (paragraphs_of<conllu_paragraphs>(out, std::uint64_t{0}) == paragraphs_of<text_paragraphs>(text)));
  const outcome o = must_work({"run", "pos", "--model", demo_model(), "--data", "pos=" + out.string(),
                               "--out", folder.path() / "run", "--dry-run"});
  BOOST_TEST(o.code == 0);
}

BOOST_AUTO_TEST_CASE(every_character_of_a_paragraph_comes_through, *precondition(with_tagger)) {
  const scratch_folder folder;
  const fs::path text = folder.write(
      "odd.txt",
      "Two  blanks here.  Then a\ttab.\xC2\xA0 \"Yes,\" he said.No blank (* _ *) a\xE2\x80\xA8"
      "b.\x0B"
      "End\rof it?!\xE3\x80\x80She can't|won't go.   \\s stays.\r\n  a wrapped line\r\n\r\n \xC2\xA0\n"
      "# no comment\n_\n1\t2 \xF0\x9F\x99\x82 x\xE2\x80\x8By\n\n\nthe last");
  const fs::path out = tagged(folder, text);
  const words paragraphs = paragraphs_of<conllu_paragraphs>(out, std::uint64_t{0});
  BOOST_TEST(paragraphs == paragraphs_of<text_paragraphs>(text), boost::test_tools::per_element());
  BOOST_TEST(paragraphs.size() == 3U);
  BOOST_TEST(read_bytes(out).find("SPACE") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(wrong_text_is_one_line_and_no_output, *precondition(with_tagger)) {
  const scratch_folder folder;
  const auto refused = [&](const std::string& text, status expected, std::string_view why) {
    const outcome o = tag(text);
    BOOST_TEST(o.code == static_cast<int>(expected));
    BOOST_TEST(o.out == "");
    BOOST_TEST(
        (lines_of(o.err).size() == 1U && o.err.starts_with("tag-text: ") && o.err.find(why) != o.err.npos),
        o.err);
  };
  refused(folder.write("latin1.txt", "One\ncaf\xE9\n"), status::data, "latin1.txt:2: the text is not UTF-8");
  refused(folder.write("nul.txt", std::string("One\nt\0w\0o\0\n", 11)), status::data,
          "nul.txt:2: a NUL byte");
  refused(folder.write("mark.txt", "\xEF\xBB\xBFOne\n"), status::data, "byte order mark");
  refused(folder.write("empty.txt", ""), status::data, "there is no text");
  refused(folder.write("blank.txt", " \n\t\r\n\xC2\xA0"), status::data, "there is no text");
  refused(folder.write("long.txt", "One\n\n" + std::string(1'000'001, 'x')), status::data, "long.txt:3: ");
  refused(folder.path() / "none.txt", status::no_input, "none.txt");
  refused(folder.path(), status::no_input, "directory");
}

BOOST_AUTO_TEST_CASE(without_network_and_tagger_the_reason_is_said, *precondition(with_tagger)) {
  const scratch_folder folder;
  surroundings empty = offline();
  empty.environment["XDG_CACHE_HOME"] = folder.path() / "cache";
  const outcome o = tag("-", empty);
  BOOST_TEST(o.code == static_cast<int>(status::unavailable));
  BOOST_TEST(o.err.find("cannot be installed") != std::string::npos, o.err);
  words left;
  for (const auto& item : fs::recursive_directory_iterator(folder.path() / "cache/depthlens"))
    left.push_back(item.path().filename());
  BOOST_TEST(left == words{"tagger.lock"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
