// SPDX-License-Identifier: Apache-2.0
// The downstream experiment against a scripted model: which tokens the options are, their scores, the rows of
// both modes and the summaries.
#define dlens_entry_v1 downstream_entry
#include "../../experiments/downstream/downstream.cpp"
#undef dlens_entry_v1

#include "fake_host.hpp"

#include <boost/test/unit_test.hpp>

using depthlens::record;
using depthlens::test::fake_host;
using strings = std::vector<std::string>;

namespace {

record row(std::string prompt, const char* answer) {
  record r;
  r.fields.emplace_back("prompt", std::move(prompt));
  if (answer != nullptr) r.fields.emplace_back("answer", answer);
  return r;
}

record choice(std::string prompt, std::vector<std::string> options, const char* answer) {
  record r = row(std::move(prompt), answer);
  r.options = std::move(options);
  return r;
}

// Ranks of the pieces at every layer; others have 100.
void rank_pieces(fake_host& host, std::map<std::string, std::vector<std::uint32_t>> ranks) {
  host.model.rank = [&host, ranks](const std::string&, std::int32_t id, std::uint32_t layer) {
    const auto at = ranks.find(std::string(host.tokenizer.piece(id)));
    return at == ranks.end() ? 100U : at->second[layer];
  };
}

bool is_data_error(const depthlens::error& e, std::string_view part) {
  BOOST_TEST_CONTEXT(e.what()) BOOST_TEST(std::string_view(e.what()).find(part) != std::string_view::npos);
  return e.code() == depthlens::status::data;
}

const std::vector<const char*> accuracy_parts = {"layer", "measure", "value", "n", "label"};

}  // namespace

BOOST_AUTO_TEST_SUITE(downstream_experiment)

BOOST_AUTO_TEST_CASE(every_option_has_a_row_for_each_layer_with_its_own_rank) {
  fake_host host(downstream_entry());
  host.n_layers = 1;
  host.add("QA", "prompt", {row("is it", "yes"), row("was it", "no")});
  host.model.top = {{"is it", " no"}, {"was it", " no"}};
  rank_pieces(host, {{" no", {4, 1}}, {" yes", {3, 2}}});
  host.run();
  const auto id = [&](const char* piece) { return std::to_string(host.tokenizer.id(piece)); };
  const std::string no = id(" no"), yes = id(" yes"), blur = id("~");
  const std::string at_0 = "0|1|0|embed|0|" + no + "| no|" + yes + "|3|-0.75|0|" + blur + "|~|4|0|-1|0|1|";
  const std::string at_1 =
      "0|1|1|block.0.out|1|" + no + "| no|" + yes + "|2|-0.5|0|" + no + "| no|1|0|-0.25|0.5|0|";
  strings rows = host.rows("rows.QA");
  BOOST_TEST(rows.size() == 8);
  rows.resize(4);
  const strings want = {at_0 + "no|" + no + "| no|0|4|-1", at_0 + "yes|" + yes + "| yes|1|3|-0.75",
                        at_1 + "no|" + no + "| no|0|1|-0.25", at_1 + "yes|" + yes + "| yes|1|2|-0.5"};
  BOOST_TEST(rows == want, boost::test_tools::per_element());
  BOOST_TEST(host.file("rows.QA") == "downstream_QA_{lens}");
  BOOST_TEST(host.column("prompts.QA", "gold") == (strings{yes, no}));
  BOOST_TEST(host.asked == (strings{"is it", "was it"}));
}

BOOST_AUTO_TEST_CASE(summaries_tell_which_option_is_best_at_each_layer) {
  fake_host host(downstream_entry());
  host.n_layers = 1;
  host.add("QA", "prompt", {row("is it", "yes"), row("was it", "no")});
  host.model.top = {{"is it", " no"}, {"was it", " no"}};
  rank_pieces(host, {{" no", {4, 1}}, {" yes", {3, 2}}});
  host.run();
  const strings options = {
      "0|no|2|4|4|0.367879|any",  "0|no|1|4|4|0.367879|right",  "0|no|1|4|4|0.367879|wrong",
      "0|yes|2|3|3|0.472367|any", "0|yes|1|3|3|0.472367|right", "0|yes|1|3|3|0.472367|wrong",
      "1|no|2|1|1|0.778801|any",  "1|no|1|1|1|0.778801|right",  "1|no|1|1|1|0.778801|wrong",
      "1|yes|2|2|2|0.606531|any", "1|yes|1|2|2|0.606531|right", "1|yes|1|2|2|0.606531|wrong"};
  BOOST_TEST(host.parts("options.QA", {"layer", "option", "n", "mean_rank", "median_rank", "mean_probability",
                                       "answer"}) == options,
             boost::test_tools::per_element());
  const strings accuracy = {"0|option_accuracy|0.5|2|best option is right",
                            "0|agreement|0|2|best option as in the end",
                            "0|top_in_options|0|2|top-1 is an option",
                            "0|set_match|0|2|all options before all other tokens",
                            "0|option_mass|0.840246|2|probability of all options",
                            "0|chance|0.5|2|right by chance",
                            "1|option_accuracy|0.5|2|best option is right",
                            "1|agreement|1|2|best option as in the end",
                            "1|top_in_options|1|2|top-1 is an option",
                            "1|set_match|1|2|all options before all other tokens",
                            "1|option_mass|1.38533|2|probability of all options",
                            "1|chance|0.5|2|right by chance"};
  BOOST_TEST(host.parts("accuracy.QA", accuracy_parts) == accuracy, boost::test_tools::per_element());
  BOOST_TEST(host.figure_prompts.at("options_QA_{lens}") == 2);
  BOOST_TEST(host.figure_prompts.at("accuracy_QA_{lens}") == 2);
}

BOOST_AUTO_TEST_CASE(of_options_with_equal_rank_the_smaller_id_is_best) {
  for (const char* first_id : {" yes", " no"}) {
    fake_host host(downstream_entry());
    host.tokenizer.id(first_id);
    host.add("QA", "prompt", {row("is it", "yes"), row("is it so", "yes"), row("was it", "no")});
    rank_pieces(host, {{" no", {4, 4, 4}}, {" yes", {4, 4, 4}}});
    host.run();
    BOOST_TEST(host.column("accuracy.QA", "value").front() == (first_id[1] == 'y' ? "0.666667" : "0.333333"));
  }
}

BOOST_AUTO_TEST_CASE(tokens_that_all_options_share_are_given_to_the_model) {
  fake_host host(downstream_entry());
  host.add("T", "prompt", {row("I like", "the sea"), row("I see", "the sky")});
  host.model.top = {{"I like", " the"}, {"I like the", " sea"}};
  host.run();
  BOOST_TEST(host.asked == (strings{"I like the", "I see the"}));
  BOOST_TEST(host.column("rows.T", "position").front() == "2");
  BOOST_TEST(host.column("rows.T", "target_text").front() == " sea");
  const strings texts = host.column("rows.T", "option_text");
  BOOST_TEST(texts[0] == " sea");
  BOOST_TEST(texts[1] == " sky");
  BOOST_TEST(host.column("rows.T", "correct").front() == "1");
}

BOOST_AUTO_TEST_CASE(options_that_their_first_token_does_not_tell_apart_are_refused_by_name) {
  const auto run = [](std::vector<const char*> answers) {
    fake_host host(downstream_entry());
    std::vector<record> rows;
    for (const char* answer : answers) rows.push_back(row("I like", answer));
    host.add("T", "prompt", std::move(rows));
    host.run();
  };
  BOOST_CHECK_EXCEPTION(run({"the sea", "the sky", "a dog"}), depthlens::error, [](const auto& e) {
    return is_data_error(
        e, "downstream.T: row 0: options \"the sea\" and \"the sky\" have the same first token");
  });
  BOOST_CHECK_EXCEPTION(run({"the", "the sky"}), depthlens::error, [](const auto& e) {
    return is_data_error(e, "the other options begin with all of option \"the\"");
  });
}

BOOST_AUTO_TEST_CASE(whole_strings_are_scored_by_the_sum_over_their_tokens) {
  fake_host host(downstream_entry());
  host.n_layers = 1;
  host.options["score"] = "string";
  host.add("T", "prompt", {row("I like", "the sea"), row("", "the sky"), row("", "dogs")});
  rank_pieces(host, {{" the", {2, 1}}, {" sea", {3, 2}}, {" sky", {4, 1}}, {" dogs", {6, 9}}});
  host.run();
  BOOST_TEST(host.asked == (strings{"I like", "I like the", "I like the"}));
  BOOST_TEST(host.column("rows.T", "option") ==
             (strings{"dogs", "the sea", "the sky", "dogs", "the sea", "the sky"}));
  BOOST_TEST(host.column("rows.T", "option_logprob") ==
             (strings{"-1.5", "-1.25", "-1.5", "-2.25", "-0.75", "-0.5"}));
  BOOST_TEST(host.column("rows.T", "option_rank") == (strings{"2", "1", "2", "3", "2", "1"}));
  for (const std::string& measure : host.column("accuracy.T", "measure")) BOOST_TEST(measure != "set_match");
  BOOST_TEST(host.parts("accuracy.T", accuracy_parts).front() ==
             "0|option_accuracy|1|1|best option is right");
}

BOOST_AUTO_TEST_CASE(a_prompt_that_ends_in_a_blank_goes_on_without_another) {
  fake_host host(downstream_entry());
  host.add("T", "prompt", {row("A:\n", "yes"), row("B:", "no")});
  host.run();
  const strings texts = host.column("rows.T", "option_text");
  BOOST_TEST(texts.front() == "no");
  BOOST_TEST(texts.back() == " yes");
}

BOOST_AUTO_TEST_CASE(rows_that_are_not_kept_say_why_and_options_come_from_all_rows) {
  fake_host host(downstream_entry());
  host.max_positions = 3;
  host.add("T", "prompt",
           {row("is it", "yes"), row("is it not", nullptr), row("it is a long one", "no"),
            row("so it", "maybe"), row("", "yes")});
  host.model.top = {{"so it", "\n"}};
  host.run();
  BOOST_TEST(host.column("prompts.T", "reason") ==
             (strings{"", "no answer", "too long", "white space", "empty"}));
  BOOST_TEST(host.column("prompts.T", "kept") == (strings{"1", "0", "0", "0", "0"}));
  const strings options = host.column("rows.T", "option");
  BOOST_TEST((strings(options.begin(), options.begin() + 3)) == (strings{"maybe", "no", "yes"}));
  BOOST_TEST(host.counts.at("T: kept") == 1);
  BOOST_TEST(host.counts.at("T: too long") == 1);
}

BOOST_AUTO_TEST_CASE(a_prompt_is_asked_again_behind_a_blank_on_demand) {
  fake_host host(downstream_entry());
  host.options["whitespace"] = "retry";
  host.add("T", "prompt", {row("is it", "yes"), row("was it", "no")});
  host.model.top = {{"is it", "\n"}, {"is it ", "yes"}};
  host.run();
  BOOST_TEST(host.column("prompts.T", "text") == (strings{"is it ", "was it"}));
  BOOST_TEST(host.column("prompts.T", "kept") == (strings{"1", "1"}));
  BOOST_TEST(host.asked == (strings{"is it", "is it ", "was it"}));
}

BOOST_AUTO_TEST_CASE(the_published_way_writes_the_published_columns_with_the_last_token_of_each_option) {
  fake_host host(downstream_entry(), true);
  host.published = 1;
  host.n_layers = 1;
  host.add("QA", "prompt", {row("is it", "the sea"), row("was it", "no")});
  host.model.top = {{"<s>is it", " no"}, {"<s>was it", "<s>"}};
  rank_pieces(host, {{" no", {4, 1}}, {" sea", {3, 2}}});
  host.run();
  const strings columns = {"layer",  "prompt index", "prompt",  "model output", "model token prediction",
                           "answer", "no rank",      "no prob", "the sea rank", "the sea prob"};
  BOOST_TEST(host.columns("rows.QA") == columns, boost::test_tools::per_element());
  const std::string no = std::to_string(host.tokenizer.id(" no"));
  const strings want = {"model.layers.0|0|is it|no|" + no + "|the sea|1|0.778801|2|0.606531",
                        "model.layers.0|1|was it||0|no|1|0.778801|2|0.606531"};
  BOOST_TEST(host.rows("rows.QA") == want, boost::test_tools::per_element());
  BOOST_TEST(host.file("rows.QA") == "{name}_QA_options_analysis{_lens}");
  const strings accuracy = host.parts("accuracy.QA", accuracy_parts);
  BOOST_TEST(accuracy.front() == "0|option_accuracy|0.5|2|best option is right");
  BOOST_TEST(accuracy.size() == 5);
}

BOOST_AUTO_TEST_CASE(a_file_without_answers_or_with_too_many_of_them_is_no_task) {
  fake_host none(downstream_entry());
  none.add("T", "prompt", {row("is it", nullptr)});
  BOOST_CHECK_EXCEPTION(none.run(), depthlens::error,
                        [](const auto& e) { return is_data_error(e, "downstream.T: no row has an answer"); });
  fake_host many(downstream_entry());
  std::vector<record> rows;
  for (int i = 0; i < 65; ++i) rows.push_back(row("is it", std::string(i + 1, 'x').c_str()));
  many.add("T", "prompt", std::move(rows));
  BOOST_CHECK_EXCEPTION(many.run(), depthlens::error, [](const auto& e) {
    return is_data_error(e, "row 64 has the 65th different answer");
  });
}

BOOST_AUTO_TEST_CASE(options_with_their_own_blank_are_read_where_those_without_are) {
  strings plain;
  for (const bool blank : {false, true}) {
    fake_host host(downstream_entry());
    host.add("T", "prompt", {row("is it", blank ? " yes" : "yes"), row("was it", blank ? " no" : "no")});
    host.run();
    BOOST_TEST(host.column("rows.T", "option").front() == (blank ? " no" : "no"));
    BOOST_TEST(host.column("rows.T", "option_text").front() == " no");
    const strings places = host.column("rows.T", "position");
    if (!blank) plain = places;
    BOOST_TEST(places == plain, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(options_that_differ_only_in_blanks_in_front_are_one) {
  fake_host host(downstream_entry());
  host.add("T", "prompt", {row("is it", "yes"), row("was it", " yes"), row("so it", "no")});
  host.run();
  const strings options = host.column("rows.T", "option");
  BOOST_TEST((strings(options.begin(), options.begin() + 2)) == (strings{"no", " yes"}));
  BOOST_TEST(host.column("rows.T", "option_is_gold").at(7) == "1");  // of the second prompt
}

BOOST_AUTO_TEST_CASE(a_prompt_that_ends_in_a_blank_is_followed_by_bare_options) {
  fake_host host(downstream_entry());
  host.add("T", "prompt", {row("is it ", "yes"), row("is it ", " no")});
  host.run();
  const strings texts = host.column("rows.T", "option_text");
  BOOST_TEST((strings(texts.begin(), texts.begin() + 2)) == (strings{"no", "yes"}));
  BOOST_TEST(host.asked == (strings{"is it ", "is it "}));
}

BOOST_AUTO_TEST_CASE(options_that_rows_list_are_all_there_whatever_the_answers_are) {
  fake_host host(downstream_entry());
  const std::vector<std::string> letters = {"a", "b", "c", "d"};
  host.add("T", "prompt", {choice("is it", letters, "b"), choice("was it", letters, "c"), row("so it", "c")});
  host.run();
  const strings options = host.column("rows.T", "option");
  BOOST_TEST((strings(options.begin(), options.begin() + 4)) == letters);
  BOOST_TEST(host.column("prompts.T", "kept") == (strings{"1", "1", "1"}));
  BOOST_TEST(host.column("options.T", "n").front() == "3");
}

BOOST_AUTO_TEST_CASE(where_rows_list_different_options_the_place_is_the_option) {
  fake_host host(downstream_entry());
  host.n_layers = 1;
  host.add("T", "prompt",
           {choice("is it", {"red", "blue"}, "blue"), choice("was it", {"old", "new", "odd"}, "old"),
            row("so it", "red"), choice("or it", {"up", "off"}, nullptr)});
  host.model.top = {{"is it", " blue"}, {"was it", " odd"}};
  rank_pieces(host,
              {{" red", {4, 2}}, {" blue", {5, 1}}, {" old", {2, 2}}, {" new", {3, 3}}, {" odd", {9, 1}}});
  host.run();
  BOOST_TEST(host.column("rows.T", "option") == (strings{"A", "B", "A", "B", "A", "B", "C", "A", "B", "C"}));
  BOOST_TEST(host.column("rows.T", "option_text") ==
             (strings{" red", " blue", " red", " blue", " old", " new", " odd", " old", " new", " odd"}));
  BOOST_TEST(host.column("rows.T", "option_is_gold") ==
             (strings{"0", "1", "0", "1", "1", "0", "0", "1", "0", "0"}));
  BOOST_TEST(host.column("prompts.T", "reason") == (strings{"", "", "no options", "no answer"}));
  strings of_all;
  for (const std::string& line : host.parts("options.T", {"answer", "n"}))
    if (line.starts_with("any|")) of_all.push_back(line.substr(4));
  BOOST_TEST(of_all == (strings{"2", "2", "1", "2", "2", "1"}));
  BOOST_TEST(host.parts("accuracy.T", accuracy_parts).front() ==
             "0|option_accuracy|0.5|2|best option is right");
  BOOST_TEST(host.column("accuracy.T", "value").at(6) == "0.5");  // at the last layer: blue is right, odd not
}

BOOST_AUTO_TEST_CASE(a_text_that_a_row_lists_twice_is_told_by_name) {
  fake_host host(downstream_entry());
  host.add("T", "prompt", {choice("is it", {"red", "red"}, "red")});
  BOOST_CHECK_EXCEPTION(host.run(), depthlens::error, [](const auto& e) {
    return is_data_error(e, "row 0: options \"red\" and \"red\" are one and the same");
  });
}

BOOST_AUTO_TEST_CASE(options_of_little_probability_are_warned_of_once_with_the_task) {
  for (const std::uint32_t rank : {1U, 40U}) {
    fake_host host(downstream_entry());
    host.lenses = {"logit", "tuned"};
    host.add("QA", "prompt", {row("is it", "yes"), row("was it", "no")});
    host.model.rank = [rank](const std::string&, std::int32_t, std::uint32_t) { return rank; };
    host.run();
    BOOST_TEST(host.warnings.size() == (rank == 1 ? 0U : 1U));
    if (rank > 1) BOOST_TEST(host.warnings.front().starts_with("downstream.QA: at the last layer"));
  }
}

BOOST_AUTO_TEST_CASE(the_published_way_takes_the_answers_for_options_as_they_are_written) {
  fake_host host(downstream_entry());
  host.published = 1;
  host.add("T", "prompt", {choice("is it", {"a", "b", "c"}, "b"), row("was it", " b"), row("so it", "a")});
  host.run();
  BOOST_TEST(host.columns("rows.T").at(6) == " b rank");
  BOOST_TEST(host.columns("rows.T").at(8) == "a rank");
  BOOST_TEST(host.columns("rows.T").size() == 12U);
  BOOST_TEST(host.warnings.empty());
}

BOOST_AUTO_TEST_SUITE_END()
