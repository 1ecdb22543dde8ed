// SPDX-License-Identifier: Apache-2.0
// What lens eval and lens train read of a text: all of it, or a line says how much is left out.
#include "program/demo.hpp"
#include "program/tiny_folder.hpp"

#include "depthlens/base/hash.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <string>

BOOST_AUTO_TEST_SUITE(texts_of_lenses)

namespace {

using namespace depthlens;
using namespace depthlens::test;

// The model has at most 64 positions, and a token for each letter.
struct evaluation : scratch_folder {
  tiny_folder model;
  evaluation() { model.make_random(); }

  outcome of(const std::filesystem::path& text, const words& more = {}) const {
    return must_work(words{"lens", "eval", "--model", model.path(), "--text", text, "--lens", "logit",
                           "--out", path() / "eval", "--format", "svg", "--backend", "cpu"} +
                     more);
  }
  // The last row of the table: of the output.
  std::string last_row() const { return lines_of(read_bytes(path() / "eval/lens_eval.csv")).back(); }
};

std::string letters(std::size_t n) {
  std::string out;
  for (std::size_t i = 0; i < n; ++i) out += static_cast<char>('a' + i * i % 7);
  return out;
}
std::string row_of(const std::string& prompt) { return "{\"prompt\":\"" + prompt + "\"}\n"; }
std::string sentence(const std::string& word) {
  return "# newpar\n# text = " + word + "\n1\t" + word + "\t_\tNOUN\t_\t_\t0\troot\t_\t_\n\n";
}

}  // namespace

BOOST_AUTO_TEST_CASE(short_paragraphs_are_read_and_what_is_left_out_is_counted) {
  const evaluation e;
  for (const auto& text : {e.write("text.txt", "abcabc\n\ncab\n\na\n"),
                           e.write("text.conllu", sentence("abcabc") + sentence("cab") + sentence("a"))}) {
    const outcome o = e.of(text);
    BOOST_TEST(e.last_row().starts_with("\"logit\",2,5,0,0,0,"), e.last_row());
    BOOST_TEST(o.err.find("5 positions of 2 sequences") != std::string::npos, o.err);
    BOOST_TEST(
        o.err.find("left out 1 texts and 0 ends of longer ones, of under 3 tokens") != std::string::npos,
        o.err);
  }
  check_refused({"lens", "eval", "--model", e.model.path(), "--text", e.write("none.txt", "a\n\nab\n"),
                 "--lens", "logit", "--out", e.path() / "eval"},
                status::data, "none.txt", "no text of three tokens");
}

BOOST_AUTO_TEST_CASE(a_long_text_is_read_to_its_end_and_stays_one_part) {
  const evaluation e;
  const auto one = e.write("one.jsonl", row_of(letters(100)));
  e.of(one);
  BOOST_TEST(e.last_row().starts_with("\"logit\",2,96,0,,,"), e.last_row());  // 64 + 36 letters
  const outcome o = e.of(one, {"--context", "33"});
  BOOST_TEST(e.last_row().starts_with("\"logit\",2,93,0,,,"), e.last_row());  // 33 three times, and 1
  BOOST_TEST(o.err.find("left out 0 texts and 1 ends") != std::string::npos, o.err);
  e.of(one, {"--tokens", "63"});
  BOOST_TEST(e.last_row().starts_with("\"logit\",2,96,"), e.last_row());
  e.of(one, {"--tokens", "62"});
  BOOST_TEST(e.last_row().starts_with("\"logit\",2,62,"), e.last_row());
  e.of(e.write("two.jsonl", row_of(letters(100)) + row_of(letters(90))));
  BOOST_TEST(e.last_row().starts_with("\"logit\",2,182,0,0,0,"), e.last_row());
}

BOOST_AUTO_TEST_CASE(an_evaluation_says_what_it_was_made_of) {
  const evaluation e;
  e.of(e.write("text.txt", "abcabc\n\ncab\n"));
  const boost::json::object record =
      boost::json::parse(read_bytes(e.path() / "eval/lens_eval.json")).as_object();
  BOOST_TEST((record.at("text").at("positions") == 5));
  BOOST_TEST(record.at("text").at("sha256").as_string() == sha256("abcabc\n\ncab\n"));
  BOOST_TEST(record.at("model").at("sha256").as_string().size() == 64U);
  BOOST_TEST((record.at("lenses").at("logit").at("match") == "the model's own"));
  BOOST_TEST((record.at("backend").at("word") == "cpu"));
  BOOST_TEST((record.at("backend").at("precision") == "f32"));
}

BOOST_AUTO_TEST_CASE(a_training_counts_the_positions_that_it_reads) {
  const evaluation e;
  const std::string text = e.write("text.txt", letters(100) + "\n\nabc\n\nab\n");
  const words command = {"lens",         "train", "--model",   e.model.path(),
                         "--text",       text,    "--out",     e.path() / "lens",
                         "--validation", "0",     "--backend", "cpu"};
  check_refused(command, status::unavailable, "cpu cannot train");
  const outcome o = depthlens_says(command);
  BOOST_TEST(o.err.find("100 positions to train on, 0 held out") != std::string::npos, o.err);
  BOOST_TEST(o.err.find("left out 1 texts") != std::string::npos, o.err);
}

BOOST_AUTO_TEST_SUITE_END()
