// SPDX-License-Identifier: Apache-2.0
// Where an answer stands in what a model says: as a word of its own, at the beginning of a token.
#include "depthlens/study/said_prompts.hpp"
#include "experiments/toy_tokenizer.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(said_answers)

namespace {

using namespace depthlens;
using test::toy_tokenizer;

std::optional<std::size_t> found(const std::string& prompt, const std::vector<std::string>& pieces,
                                 const std::vector<std::string>& answers) {
  toy_tokenizer tokenizer;
  std::vector<std::int32_t> said;
  for (const std::string& piece : pieces) said.push_back(tokenizer.id(piece));
  return tokens_before_answer(tokenizer_view(tokenizer.c()), prompt, said, answers);
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_first_place_of_any_answer_counts) {
  BOOST_TEST((found("x is", {" it", " is", " Paris", "."}, {"Paris"}) == 2U));
  BOOST_TEST((found("x is", {" Paris", "."}, {"Paris"}) == 0U));
  BOOST_TEST((found("x is", {" no", ",", " B", " or", " A"}, {"A", "B"}) == 2U));
  BOOST_TEST((found("x is", {" New", " York", " City"}, {"York City"}) == 1U));
  BOOST_TEST((found("x is", {" paris"}, {"Paris"}) == std::nullopt));
  BOOST_TEST((found("x is", {}, {"Paris"}) == std::nullopt));
  BOOST_TEST((found("x is", {" a"}, {" "}) == std::nullopt));
}

BOOST_AUTO_TEST_CASE(signs_of_every_kind_end_a_word_and_letters_of_every_script_do_not) {
  for (const char* sign :
       {".", "\u201d", "\u2019s", "\u2014", "\u2026", "\u00bb", "\u3002", "\u00a0", "\uff01"})
    BOOST_TEST((found("x is", {" \u201c", "Paris", sign}, {"Paris"}) == 1U), sign);
  for (const char* letter : {"e", "9", "_", "\u00e9", "\u0436", "\u03bb"})
    BOOST_TEST((found("x is", {" Paris", letter}, {"Paris"}) == std::nullopt), letter);
}

BOOST_AUTO_TEST_CASE(what_completes_a_word_is_no_word_of_its_own) {
  BOOST_TEST((found("The capital is Par", {"is", "."}, {"is"}) == std::nullopt));
  BOOST_TEST((found("The capital is", {" Comp", "aris", "on"}, {"aris"}) == std::nullopt));
  BOOST_TEST((found("The answer: ", {"is"}, {"is"}) == 0U));
  BOOST_TEST((found("x", {" thePa", "ris"}, {"ris"}) == std::nullopt));
}

BOOST_AUTO_TEST_SUITE_END()
