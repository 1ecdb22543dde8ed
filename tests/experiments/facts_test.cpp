// SPDX-License-Identifier: Apache-2.0
// The facts experiment against a scripted model: one pass by ids, forms, repeated facts, and the published
// rounds.
#define dlens_entry_v1 facts_entry
#include "../../experiments/facts/facts.cpp"
#undef dlens_entry_v1

#include "fake_host.hpp"

#include <boost/test/unit_test.hpp>

using depthlens::record;
using depthlens::test::fake_host;
using strings = std::vector<std::string>;

namespace {

record fact(std::string prompt, std::optional<std::string> answer,
            std::optional<std::string> other = std::nullopt) {
  record r;
  r.fields.emplace_back("prompt", std::move(prompt));
  if (answer) r.fields.emplace_back("answer", std::move(*answer));
  if (other) r.fields.emplace_back("other", std::move(*other));
  return r;
}

// Every third value: the rows of layer 0 of the three layers.
strings per_reading(const strings& rows) {
  strings out;
  for (std::size_t i = 0; i < rows.size(); i += 3) out.push_back(rows[i]);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(facts_experiment)

BOOST_AUTO_TEST_CASE(every_token_of_an_answer_is_read_in_one_pass_behind_the_right_tokens) {
  fake_host host(facts_entry());
  host.add("", "fact", {fact("the capital is", "paRis")});
  host.model.top = {{"the capital is", " lyon"}, {"the capital is pa", "Ris"}};
  host.run();
  BOOST_TEST(host.asked == strings({"the capital is pa"}), boost::test_tools::per_element());
  const strings rows = host.rows("rows");
  BOOST_REQUIRE(rows.size() == 6U);
  const std::string pa = std::to_string(host.tokenizer.id(" pa")),
                    ris = std::to_string(host.tokenizer.id("Ris"));
  const std::string lyon = std::to_string(host.tokenizer.id(" lyon")),
                    unsure = std::to_string(host.tokenizer.id("~"));
  BOOST_TEST(rows[0] == "0|2|0|embed|0|" + lyon + "| lyon|" + pa + "|100|-25|0|" + unsure +
                            "|~|3|0|-0.75|0|2|0|2|blank|0|1|0|true|paRis");
  BOOST_TEST(rows[5] == "0|3|2|block.1.out|1|" + ris + "|Ris|" + ris + "|1|-0.25|1|" + ris +
                            "|Ris|1|0|-0.25|1|0|1|2|blank|0|0|0|true|paRis");
  BOOST_TEST(host.rows("earliest").empty());  // its first token is wrong, so it is in no curve
  BOOST_TEST(host.parts("prompts", {"prompt_id", "text", "ids", "gold", "kept", "reason", "answer"})[0] ==
             "0|the capital is|2 3 4|" + pa + "|1||paRis");
}

BOOST_AUTO_TEST_CASE(curves_take_the_same_facts_at_each_position_and_only_right_ones) {
  fake_host host(facts_entry());
  host.add(
      "", "fact",
      {fact("one is", "paRis"), fact("two is", "loNdon"), fact("three is", "rome"), fact("four is", "aBcD")});
  host.model.top = {{"one is", " pa"},     {"one is pa", "Ris"}, {"two is", " lo"},   {"two is lo", "wer"},
                    {"three is", " rome"}, {"four is", " a"},    {"four is a", "Bc"}, {"four is aBc", "D"}};
  host.run();
  const strings names = host.column("onsets", "category"), ks = host.column("onsets", "k");
  strings at_one;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (ks[i] == "1") at_one.push_back(names[i]);
  BOOST_TEST(at_one == strings({"1-token (pos 1)", "2-token (pos 1)", "2-token (pos 2)", "3-token (pos 1)",
                                "3-token (pos 2)", "3-token (pos 3)"}),
             boost::test_tools::per_element());
  BOOST_TEST(host.parts("earliest", {"category", "k", "mean_first", "mean_stable", "median_first", "n",
                                     "never", "std_first", "n_stable", "answer_len", "token_pos"})[0] ==
             "1-token (pos 1)|1|2|2|2|1|0|0|1|1|1");
  BOOST_TEST(host.column("earliest", "token_pos").back() == "3");
  BOOST_TEST(host.figure_prompts.at("earliest_layer_facts_{lens}") == 3U);
}

BOOST_AUTO_TEST_CASE(facts_whose_first_token_is_missed_are_curves_of_their_own_where_that_is_asked_for) {
  fake_host host(facts_entry());
  host.options = {{"failures", "true"}};
  host.add(
      "", "fact",
      {fact("one is", "paRis"), fact("two is", "loNdon"), fact("three is", "rome"),
       fact("four is", "aBcD", "x"), fact("five is", "paRis"), fact("six is", ""), fact("ten is", "aBCDE")});
  // Right; its second token alone wrong; wrong; right (and its other answer is not followed); wrong.
  host.model.top = {{"one is", " pa"}, {"one is pa", "Ris"}, {"two is", " lo"},    {"two is lo", "wer"},
                    {"four is", " a"}, {"four is a", "Bc"},  {"four is aBc", "D"}, {"five is pa", "Ris"}};
  host.model.rank = [&](const std::string& text, std::int32_t id, std::uint32_t layer) -> std::uint32_t {
    if (text == "three is" && id == host.tokenizer.id(" rome")) return std::array{90U, 30U, 3U}.at(layer);
    if (text == "five is" && id == host.tokenizer.id(" pa")) return std::array{7U, 5U, 2U}.at(layer);
    return 1;
  };
  host.run();
  strings wrong;
  const strings layers =
      host.parts("layers", {"category", "layer", "n", "mean_rank", "median_rank", "mean_probability",
                            "mean_entropy", "mean_kl", "answer_len", "token_pos", "wrong", "curve"});
  for (const std::string& line : layers)
    if (line.find("wrong") != std::string::npos) wrong.push_back(line);
  const strings want = {"1-token (pos 1), wrong|0|1|90|90|1.6919e-10|0|2|1|1|1|token 1, wrong",
                        "1-token (pos 1), wrong|1|1|30|30|0.000553084|0.5|1|1|1|1|token 1, wrong",
                        "1-token (pos 1), wrong|2|1|3|3|0.472367|1|0|1|1|1|token 1, wrong",
                        "2-token (pos 1), wrong|0|1|7|7|0.173774|0|2|2|1|1|token 1, wrong",
                        "2-token (pos 1), wrong|1|1|5|5|0.286505|0.5|1|2|1|1|token 1, wrong",
                        "2-token (pos 1), wrong|2|1|2|2|0.606531|1|0|2|1|1|token 1, wrong"};
  BOOST_TEST(wrong == want, boost::test_tools::per_element());
  BOOST_TEST(layers[0] == "2-token (pos 1)|0|1|1|1|0.778801|0|2|2|1|0|token 1");
  BOOST_TEST(layers[3] == "2-token (pos 2)|0|1|1|1|0.778801|0|2|2|2|0|token 2");
  BOOST_TEST(host.column("prompts", "first_correct") == strings({"1", "1", "0", "1", "0", "", "0"}),
             boost::test_tools::per_element());
  BOOST_TEST(host.column("prompts", "answer_correct") == strings({"1", "0", "0", "1", "0", "", "0"}),
             boost::test_tools::per_element());
  BOOST_TEST(host.figure_prompts.at("earliest_layer_facts_{lens}") == 4U);
  BOOST_TEST(std::string_view(host.figures()[0]->dash) == "curve");
  BOOST_TEST(std::string_view(host.figures()[0]->color) == "answer_len");
}

BOOST_AUTO_TEST_CASE(without_failures_the_tables_of_facts_have_no_further_columns) {
  fake_host host(facts_entry());
  host.add("", "fact", {fact("it is", "a")});
  host.run();
  for (const char* table : {"earliest", "onsets", "layers"})
    BOOST_TEST(host.columns(table).back() == "token_pos");
  BOOST_TEST(host.columns("prompts").back() == "answer");
  BOOST_TEST(std::string_view(host.figures()[0]->dash) == "token_pos");
}

BOOST_AUTO_TEST_CASE(the_published_way_has_no_missed_facts) {
  fake_host host(facts_entry());
  host.options = {{"failures", "true"}};
  host.published = 1;
  host.add("", "fact", {fact("it is", "a")});
  BOOST_CHECK_EXCEPTION(host.run(), depthlens::error, [](const depthlens::error& e) {
    return e.code() == depthlens::status::usage && std::string(e.what()).starts_with("--failures ");
  });
}

BOOST_AUTO_TEST_CASE(the_first_top_1_decides_the_form_and_both_are_read_at_once) {
  fake_host host(facts_entry());
  host.add("", "fact", {fact("it is \n", "PaRis"), fact("it is (", "RoMe")});
  host.model.top = {{"it is \n", " Pa"}, {"it is \n Pa", "Ris"}, {"it is (", "X"}, {"it is (Ro", "X"}};
  host.run();
  BOOST_TEST(per_reading(host.column("rows", "form")) == strings({"blank", "blank", "blank", "blank"}),
             boost::test_tools::per_element());
  BOOST_TEST(per_reading(host.column("rows", "answer_correct")) == strings({"1", "1", "0", "0"}),
             boost::test_tools::per_element());
  BOOST_TEST(host.asked == strings({"it is \nPa", "it is \n Pa", "it is ( Ro", "it is (Ro"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(tokens_limits_what_is_read_but_not_the_length_that_is_told) {
  fake_host host(facts_entry());
  host.options = {{"tokens", "2"}};
  host.add("", "fact", {fact("it is", "aBCD")});
  host.run();
  BOOST_TEST(per_reading(host.column("rows", "token_num")) == strings({"0", "1"}),
             boost::test_tools::per_element());
  BOOST_TEST(host.column("rows", "answer_len")[0] == "4");
  BOOST_TEST(host.asked == strings({"it is a"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(repeated_facts_are_read_once_unless_asked_for) {
  for (const bool keep : {false, true}) {
    fake_host host(facts_entry());
    if (keep) host.options = {{"duplicates", "keep"}};
    host.add("", "fact", {fact("it is", "a"), fact("it is", "b"), fact("it is", "a")});
    host.run();
    BOOST_TEST(host.column("prompts", "reason") == strings({"", "", keep ? "" : "duplicate"}),
               boost::test_tools::per_element());
    BOOST_TEST(host.rows("rows").size() == (keep ? 9U : 6U));
  }
}

BOOST_AUTO_TEST_CASE(a_counterfactual_answer_has_rows_of_its_own_kind) {
  fake_host host(facts_entry());
  host.add("", "fact", {fact("it is", "paRis", "roMe")});
  host.model.top = {{"it is", " pa"}, {"it is pa", "Ris"}, {"it is ro", "Me"}};
  host.run();
  BOOST_TEST(per_reading(host.column("rows", "answer_kind")) == strings({"true", "true", "new", "new"}),
             boost::test_tools::per_element());
  BOOST_TEST(per_reading(host.column("rows", "answer")) == strings({"paRis", "paRis", "roMe", "roMe"}),
             boost::test_tools::per_element());
  BOOST_TEST(per_reading(host.column("rows", "correct")) == strings({"1", "1", "0", "1"}),
             boost::test_tools::per_element());
  strings categories = host.column("layers", "category");
  BOOST_TEST(categories.size() == 6U);  // the true answer's two positions at three layers
}

BOOST_AUTO_TEST_CASE(facts_that_cannot_be_read_say_why) {
  fake_host host(facts_entry());
  host.max_positions = 4;
  host.add("", "fact",
           {fact("it is", std::nullopt), fact("it is", ""), fact("", "x"), fact("a b c d e", "x"),
            fact("a b c", "xYZ"), fact("it says", "x"), fact("a b c", "x")});
  host.model.top = {{"it says", "\n"}};
  host.run();
  BOOST_TEST(host.column("prompts", "reason") ==
                 strings({"no answer", "no answer", "empty", "too long", "too long", "white space", ""}),
             boost::test_tools::per_element());
  BOOST_TEST(host.counts.at(": no answer") == 2U);
}

BOOST_AUTO_TEST_CASE(an_answer_in_source_text_has_the_form_of_the_text) {
  fake_host host(facts_entry());
  record good = fact("it is", "now"), bad = fact("it is", "now");
  good.fields.emplace_back("text", "it is  now or never");
  bad.fields.emplace_back("text", "it is then");
  host.add("", "prompt", {good});
  host.run();
  BOOST_TEST(host.column("rows", "form")[0] == "source");
  BOOST_TEST(host.column("rows", "answer_len")[0] == "2");  // two blanks: one is a token
  fake_host other(facts_entry());
  other.add("", "prompt", {bad});
  BOOST_CHECK_THROW(other.run(), depthlens::error);
}

BOOST_AUTO_TEST_CASE(retry_asks_all_tokens_again_behind_a_blank) {
  fake_host host(facts_entry());
  host.options = {{"whitespace", "retry"}};
  host.add("", "fact", {fact("it is", "paRis")});
  host.model.top = {{"it is", "\n"}, {"it is ", "pa"}, {"it is pa", "Ris"}};
  host.run();
  BOOST_TEST(host.column("prompts", "text")[0] == "it is ");
  BOOST_TEST(per_reading(host.column("rows", "form")) == strings({"bare", "bare"}),
             boost::test_tools::per_element());
  BOOST_TEST(per_reading(host.column("rows", "correct")) == strings({"1", "1"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_published_way_appends_the_text_of_the_right_token_and_encodes_anew) {
  fake_host host(facts_entry());
  host.published = 1;
  host.add(
      "", "fact",
      {fact("one is", "paRisX"), fact("two is", "rome"), fact("three is", "oslo"), fact("one is", "paRisX")});
  host.model.top = {{"one is", " lo"},  {"one is pa", "Ris"}, {"one is paRis", "X"},
                    {"two is", "rome"}, {"three is", "\n"},   {"three is ", " "}};
  host.run();
  BOOST_TEST(host.asked == strings({"one is", "one is pa", "one is paRis", "two is", "three is", "three is ",
                                    "one is", "one is pa", "one is paRis"}),
             boost::test_tools::per_element());
  const std::string ris = std::to_string(host.tokenizer.id("Ris")),
                    rome = std::to_string(host.tokenizer.id("rome"));
  const strings rows = host.rows("rows");
  BOOST_REQUIRE(rows.size() == 10U);
  BOOST_TEST(rows[0] == "model.layers.0|0|one is pa|" + ris + "|paRisX|2|1|3");
  BOOST_TEST(rows[4] == "model.layers.0|1|two is|" + rome + "|rome|2|0|1");
  BOOST_TEST(host.file("rows") == "fact_{name}_REASONING_{lens}");
  BOOST_TEST(host.column("prompts", "reason") == strings({"", "", "white space", ""}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_published_way_takes_special_ids_off_twice_for_later_tokens) {
  fake_host host(facts_entry(), true);
  host.published = 1;
  host.add("", "fact", {fact("one is", "paRis"), fact("two is", "paRisX")});
  host.model.top = {{"<s>one is", " pa"},
                    {"<s>one is pa", "Ris"},
                    {"<s>two is", " pa"},
                    {"<s>two is pa", "Ris"},
                    {"<s>two is paRis", "X"}};
  host.run();
  // With one special id the second token is known for answers of three tokens, the third of four.
  BOOST_TEST(host.column("rows", "token_num") == strings({"0", "0", "0", "0", "1", "1"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_answer_with_its_own_blank_is_read_as_that_without_and_keeps_its_text) {
  fake_host host(facts_entry());
  host.add("", "fact", {fact("it is", " lyon", " rome"), fact("it is", "lyon")});
  host.run();
  strings golds;
  for (const std::string& id : host.column("rows", "gold"))
    golds.emplace_back(host.tokenizer.piece(std::stoi(id)));
  BOOST_TEST(per_reading(golds) == strings({" lyon", " rome", " lyon"}), boost::test_tools::per_element());
  BOOST_TEST(per_reading(host.column("rows", "answer")) == strings({" lyon", " rome", "lyon"}),
             boost::test_tools::per_element());
  BOOST_TEST(per_reading(host.column("rows", "answer_len")) == strings({"1", "1", "1"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(behind_a_blank_the_bare_answer_is_read_with_and_without_source_text) {
  fake_host host(facts_entry());
  record source = fact("it is ", "paRis");
  source.fields.emplace_back("text", "it is paRis now");
  host.add("", "prompt", {fact("it is ", "paRis"), source, fact("it is ", " paRis")});
  host.options = {{"duplicates", "keep"}};
  host.run();
  BOOST_TEST(host.column("prompts", "reason") == strings({"", "", ""}), boost::test_tools::per_element());
  BOOST_TEST(per_reading(host.column("rows", "form")) ==
                 strings({"bare", "bare", "source", "source", "bare", "bare"}),
             boost::test_tools::per_element());
  BOOST_TEST(host.asked == strings({"it is pa", "it is pa", "it is pa"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(facts_that_the_reader_left_out_are_listed_and_counted_in_both_modes) {
  for (const std::uint32_t published : {0U, 1U}) {
    fake_host host(facts_entry());
    host.published = published;
    record hop;
    hop.fields = {{"answer", "x"}};
    hop.left_out = "no prompt";
    host.add("", "fact", {fact("it is", "paRis"), hop});
    host.model.top = {{"it is", " pa"}};
    host.run();
    BOOST_TEST(host.parts("prompts", {"prompt_id", "text", "kept", "reason", "answer"}).at(1) ==
               "1||0|no prompt|x");
    BOOST_TEST(host.counts.at(": no prompt") == 1U);
    BOOST_TEST(host.counts.at(": kept") == 1U);
  }
}

BOOST_AUTO_TEST_SUITE_END()
