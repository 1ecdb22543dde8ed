// SPDX-License-Identifier: Apache-2.0
// Multiple choice rows: where options stand, which of them the answer is, letters or texts, and questions
// without a prompt.
#include <depthlens/data/reader.hpp>

#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <vector>

using namespace depthlens;
using depthlens::test::check_fails;
using depthlens::test::scratch_folder;

namespace {

using strings = std::vector<std::string>;

record read_row(const std::string& row) {
  const scratch_folder folder;
  const auto path = folder.write("r.json", "[" + row + "]");
  const auto reader = open_records(path, detect_format(path), "prompt");
  record out;
  BOOST_REQUIRE(reader->next(out));
  return out;
}

// Options and answer of a row with the prompt "It is" and these further members; the answer is "-" where it
// has none.
strings read_options(const std::string& members) {
  const record r = read_row("{\"prompt\":\"It is\"," + members + "}");
  strings out = r.options;
  out.push_back(r.find("answer") == nullptr ? "-" : *r.find("answer"));
  return out;
}

void check(const strings& got, const strings& want) {
  BOOST_TEST(got == want, boost::test_tools::per_element());
}

void check_refused(const std::string& row, std::string_view why) {
  const scratch_folder folder;
  const auto path = folder.write("r.json", "[{\"prompt\":\"a\"},\n" + row + "]");
  check_fails(
      [&] {
        const auto reader = open_records(path, detect_format(path), "prompt");
        for (record r; reader->next(r);) continue;
      },
      status::data, path.string() + ":2:1: row 1: ", why);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(row_options)

BOOST_AUTO_TEST_CASE(a_list_of_options_keeps_its_order_and_the_answer_is_one_of_them) {
  check(read_options(R"("options":["red","blue"],"answer":"blue")"), {"red", "blue", "blue"});
  check(read_options(R"("choices":["red","blue"],"answer":1)"), {"red", "blue", "blue"});
  check(read_options(R"("choices":["red","blue"],"answer":"B")"), {"red", "blue", "blue"});
  check(read_options(R"("choices":["red","blue"],"answer":"a")"), {"red", "blue", "red"});
  check(read_options(R"("choices":[" red"," blue"],"answer":"red")"), {" red", " blue", " red"});
  check(read_options(R"("options":["B","A"],"answer":"A")"), {"B", "A", "A"});  // a text before a letter
  check(read_options(R"("options":["3","4"],"answer":0)"), {"3", "4", "3"});    // a place
  check(read_options(R"("options":[3,4],"answer":4)"), {"3", "4", "4"});        // a number of the list
  check(read_options(R"("options":["true","false"],"answer":true)"), {"true", "false", "true"});
}

BOOST_AUTO_TEST_CASE(labels_of_their_own_are_taken) {
  check(read_options(R"("choices":{"text":["red","blue"],"label":["1","2"]},"answer":"2")"),
        {"red", "blue", "blue"});
  check(read_options(R"("choices":{"text":["red","blue"]},"answer":0)"), {"red", "blue", "red"});
}

BOOST_AUTO_TEST_CASE(a_row_without_a_known_answer_has_none) {
  for (const char* answer : {"", ",\"answer\":null", ",\"answer\":-1", ",\"answer\":\"\""})
    check(read_options(std::string(R"("options":["red","blue"])") + answer), {"red", "blue", "-"});
  check(read_options(R"("options":null,"answer":"x")"), {"x"});
}

BOOST_AUTO_TEST_CASE(where_the_prompt_lists_the_choices_their_letters_are_read) {
  const auto options = [](const std::string& prompt, const std::string& answer) {
    const record r =
        read_row("{\"prompt\":\"" + prompt + R"(","choices":["red","blue"],"answer":)" + answer + "}");
    strings out = r.options;
    out.push_back(*r.find("answer"));
    return out;
  };
  check(options("Sky?\\nA. red\\nB. blue\\nAnswer:", "1"), {"A", "B", "B"});
  check(options("Sky? (A) red (B) blue. It is", "\"blue\""), {"A", "B", "B"});
  check(options("Sky?\\nA. red\\nAnswer:", "1"), {"red", "blue", "blue"});
}

BOOST_AUTO_TEST_CASE(a_question_with_choices_becomes_the_usual_prompt) {
  const record r = read_row(
      R"({"question":"What has keys?","subject":"music","choices":["a piano","a drum","a bell","a gong"],)"
      R"("answer":0})");
  BOOST_TEST(*r.find("prompt") == "What has keys?\nA. a piano\nB. a drum\nC. a bell\nD. a gong\nAnswer:");
  check(r.options, {"A", "B", "C", "D"});
  BOOST_TEST(*r.find("answer") == "A");
  BOOST_TEST(*r.find("subject") == "music");
  BOOST_TEST(*r.find("question") == "What has keys?");
  const record labelled =
      read_row(R"({"question":"What has keys? ","choices":{"text":["a drum","a piano"],"label":["1","2"]},)"
               R"("answerKey":"2"})");
  BOOST_TEST(*labelled.find("prompt") == "What has keys?\n1. a drum\n2. a piano\nAnswer:");
  check(labelled.options, {"1", "2"});
  BOOST_TEST(*labelled.find("answer") == "2");
}

BOOST_AUTO_TEST_CASE(options_of_the_wrong_form_are_refused_with_their_line) {
  check_refused(R"({"prompt":"a","options":"yes,no"})", "\"options\" is not a list of texts");
  check_refused(R"({"prompt":"a","choices":[]})", "\"choices\" is not a list of texts");
  check_refused(R"({"prompt":"a","choices":["a",["b"]]})", "\"choices\"[1] is no text");
  check_refused(R"({"prompt":"a","choices":{"label":["A"]}})", "\"choices\".text is not a list");
  check_refused(R"({"prompt":"a","choices":{"text":["a","b"],"label":["A"]}})", "2 texts and 1 labels");
  check_refused(R"({"prompt":"a","choices":["a","b"],"answer":2})", "none of the 2 choices");
  check_refused(R"({"prompt":"a","choices":["a","b"],"answer":-2})", "none of the 2 choices");
  check_refused(R"({"prompt":"a","choices":["x","y"],"answer":"C"})", "its place from 0 to 1");
  check_refused(R"({"prompt":"a","choices":["x","y"],"answer":["x"]})", "neither a text nor a whole number");
  check_refused(R"({"prompt":"a","choices":["x","y\u0000"]})", "an option holds a NUL");
  check_refused(R"({"question":"a"})", "\"prompt\" is missing");
  check_refused(R"({"prompt":"a","answer":3})", "\"answer\" is not a text");
  std::string many = "\"x\"";
  for (int i = 0; i < 26; ++i) many += ",\"x\"";
  check_refused("{\"question\":\"a\",\"choices\":[" + many + "]}", "has 27 texts");
}

BOOST_AUTO_TEST_SUITE_END()
