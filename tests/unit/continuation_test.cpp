// SPDX-License-Identifier: Apache-2.0
// How answers follow prompts, the white-space rule, and the text of single tokens as published.
#include "depthlens/study/continuation.hpp"
#include "depthlens/study/prompts_table.hpp"
#include "depthlens/study/published.hpp"
#include "depthlens/study/white_space.hpp"

#include "../experiments/toy_tokenizer.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace depthlens;
using test::toy_tokenizer;

namespace {

std::vector<std::string> names(const std::vector<answer_form>& forms) {
  std::vector<std::string> out;
  for (const answer_form& f : forms) out.emplace_back(f.form);
  return out;
}

struct toy {
  toy_tokenizer t;
  tokenizer_view view{t.c()};
  std::vector<answer_form> forms(std::string_view prompt, std::string_view answer,
                                 std::optional<std::string_view> source = std::nullopt) {
    return answer_forms(view, prompt, view.encode_prompt(prompt), answer, source);
  }
};

// Final top-1 of each round that was answered.
struct tops {
  std::vector<std::int32_t> ids;
  dlens_tops c;
  explicit tops(std::vector<std::int32_t> of) : ids(std::move(of)) {
    c = {sizeof c, static_cast<std::uint32_t>(ids.size()), this,
         [](const dlens_tops* t, std::uint32_t round, std::uint32_t) {
           return static_cast<const tops*>(t->self)->ids[round];
         }};
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(continuation)

BOOST_AUTO_TEST_CASE(a_word_follows_with_a_blank_where_it_would_merge_without) {
  toy t;
  BOOST_TEST(names(t.forms("he saw", "the")) == std::vector<std::string>({"blank"}),
             boost::test_tools::per_element());
  BOOST_TEST(t.forms("he saw", "the")[0].ids[0] == t.t.id(" the"));
}

BOOST_AUTO_TEST_CASE(the_blank_form_is_preferred_unless_the_prompt_ends_in_white_space) {
  toy t;
  BOOST_TEST(names(t.forms("he saw (", "the")) == std::vector<std::string>({"blank", "bare"}),
             boost::test_tools::per_element());
  BOOST_TEST(names(t.forms("he saw\n", "the")) == std::vector<std::string>({"bare", "blank"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_final_top_1_decides_between_forms_that_both_fit) {
  toy t;
  const auto forms = t.forms("he saw (", "the");
  BOOST_TEST(choose_form(forms, t.t.id("the"))->form == "bare");
  BOOST_TEST(choose_form(forms, t.t.id(" the"))->form == "blank");
  BOOST_TEST(choose_form(forms, t.t.id("cat"))->form == "blank");
  BOOST_TEST(choose_form({}, t.t.id("cat")) == nullptr);
}

BOOST_AUTO_TEST_CASE(source_text_gives_one_form_and_merging_gives_none) {
  toy t;
  BOOST_TEST(names(t.forms("he saw", "the", " the")) == std::vector<std::string>({"source"}),
             boost::test_tools::per_element());
  BOOST_TEST(t.forms("twenty", "one", "one").empty());
  BOOST_TEST(t.forms("twenty", "", "").empty());
}

BOOST_AUTO_TEST_CASE(text_after_a_prompt_must_be_white_space_and_the_answer) {
  BOOST_TEST(*source_continuation("he saw  the cat", "he saw", "the") == "  the");
  BOOST_TEST(*source_continuation("twenty-one", "twenty-", "one") == "one");
  BOOST_TEST(!source_continuation("he saw a cat", "he saw", "the").has_value());
  BOOST_TEST(!source_continuation("she saw", "he saw", "the").has_value());
  BOOST_TEST(!source_continuation("he saw", "he saw", "").has_value());
  // White space that the answer brings along is the text's to give.
  BOOST_TEST(*source_continuation("he saw the cat", "he saw", " the") == " the");
  BOOST_TEST(*source_continuation("he saw the cat", "he saw ", " the") == "the");
  BOOST_TEST(*source_continuation("he saw\nthe cat", "he saw", "\n") == "\n");
  BOOST_TEST(!source_continuation("he saw the cat", "he saw", "\n").has_value());
}

BOOST_AUTO_TEST_CASE(
    behind_a_blank_the_answer_has_ids_of_its_own_and_no_second_blank_with_or_without_source) {
  toy t;
  for (const char* answer : {"the", " the"})
    for (const std::optional<std::string_view> source : {std::optional<std::string_view>(), {"the"}}) {
      const auto forms = t.forms("he saw ", answer, source);
      BOOST_REQUIRE(forms.size() == 1U);
      BOOST_TEST(forms[0].form == (source ? "source" : "bare"));
      BOOST_TEST(forms[0].ids == std::vector<std::int32_t>({t.t.id("the")}),
                 boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_CASE(an_answer_of_white_space_alone_is_taken_as_it_is) {
  toy t;
  const auto forms = t.forms("he saw", "\n");
  BOOST_REQUIRE(forms.size() == 1U);
  BOOST_TEST(forms[0].text == "\n");
  BOOST_TEST(t.forms("he saw ", " ").empty());
}

BOOST_AUTO_TEST_CASE(a_top_1_of_white_space_is_kept_dropped_or_retried_once) {
  toy t;
  dlens_run run{};
  run.tokenizer = t.t.c();
  const white_space_test blank(run);
  const std::int32_t newline = t.t.id("\n"), word = t.t.id(" the");
  const auto at = [&](white_space_rule rule, const std::vector<std::int32_t>& ids) {
    const tops answers(ids);
    return settle(rule, blank, "he saw", tops_view(&answers.c));
  };
  using s = prompt_state;
  BOOST_TEST(at(white_space_rule::retry, {}).stage == s::ask);
  BOOST_TEST(at(white_space_rule::retry, {word}).stage == s::settled);
  BOOST_TEST(at(white_space_rule::keep, {newline}).stage == s::settled);
  BOOST_TEST(at(white_space_rule::drop, {newline}).stage == s::dropped);
  const prompt_state again = at(white_space_rule::retry, {newline});
  BOOST_TEST(again.stage == s::ask);
  BOOST_TEST(again.prompt == "he saw ");
  BOOST_TEST(again.round == 1U);
  BOOST_TEST(at(white_space_rule::retry, {newline, word}).stage == s::settled);
  BOOST_TEST(at(white_space_rule::retry, {newline, word}).round == 1U);
  BOOST_TEST(at(white_space_rule::retry, {newline, newline}).stage == s::dropped);
  // No second blank, but by the published rule.
  const tops answers({newline});
  BOOST_TEST(settle(white_space_rule::retry, blank, "he saw ", tops_view(&answers.c)).stage == s::dropped);
  run.flags = DLENS_RUN_PUBLISHED;
  const white_space_test published(run);
  BOOST_TEST(settle(white_space_rule::retry, published, "he saw ", tops_view(&answers.c)).stage == s::ask);
}

BOOST_AUTO_TEST_CASE(
    special_tokens_are_no_white_space_and_broken_bytes_become_replacement_characters_as_published) {
  toy t;
  const published_decoder decoder(t.view);
  BOOST_TEST(!decoder.drops_blank());
  BOOST_TEST(!decoder.is_white_space(0));
  BOOST_TEST(decoder.is_white_space(t.t.id(" ")));
  BOOST_TEST(decoder.text(t.t.id("\xC3")) == "\xEF\xBF\xBD");
}

BOOST_AUTO_TEST_CASE(published_answers_lose_as_many_ids_as_an_empty_text_has) {
  toy_tokenizer with_bos(true);
  const tokenizer_view view(with_bos.c());
  BOOST_TEST(published_answer_ids(view, " the") == std::vector<std::int32_t>({with_bos.id(" the")}),
             boost::test_tools::per_element());
  BOOST_TEST(published_answer_ids(view, "").empty());
}

BOOST_AUTO_TEST_CASE(published_prompts_are_cut_and_refused_otherwise) {
  toy t;
  dlens_run run{};
  run.max_positions = 2000;
  run.vocab_size = 1000;
  std::string text = "a";
  for (int i = 1; i < 1500; ++i) text += " a";
  BOOST_TEST(encode_prompt(run, t.view, text).ids.size() == 1500U);
  run.max_positions = 1499;
  BOOST_TEST(encode_prompt(run, t.view, text).reason == "too long");
  run.flags = DLENS_RUN_PUBLISHED;
  BOOST_TEST(encode_prompt(run, t.view, text).ids.size() == 1024U);
  BOOST_TEST(encode_prompt(run, t.view, text).reason == "");
  BOOST_TEST(encode_prompt(run, t.view, "").reason == "empty");
  run.vocab_size = 1;
  BOOST_TEST(encode_prompt(run, t.view, "a").reason == "no embedding row");
}

BOOST_AUTO_TEST_CASE(ids_of_a_prompt_are_divided_by_blanks) {
  BOOST_TEST(ids_text(std::vector<std::int32_t>{3, 10, 0}) == "3 10 0");
  BOOST_TEST(ids_text(std::vector<std::int32_t>{}) == "");
}

BOOST_AUTO_TEST_SUITE_END()
