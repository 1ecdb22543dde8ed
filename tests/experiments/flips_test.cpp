// SPDX-License-Identifier: Apache-2.0
// The flips experiment against a scripted model, and the positions and white-space rule it shares with freq.
#define dlens_entry_v1 flips_entry
#include "../../experiments/flips/flips.cpp"
#undef dlens_entry_v1

#include "counts_file.hpp"
#include "fake_host.hpp"
#include "few_counts.hpp"

#include <boost/test/unit_test.hpp>

using depthlens::record;
using depthlens::test::check_warning_of_few_counts;
using depthlens::test::counts_file;
using depthlens::test::fake_host;
using strings = std::vector<std::string>;

namespace {

record prompt(std::string text) {
  record r;
  r.fields.emplace_back("prompt", std::move(text));
  return r;
}

// Layers 0 and 1 guess "~"; the last layer guesses the final top-1 (see fake_host).
strings column_of_last_layer(const fake_host& host, std::string_view id) {
  strings out;
  const strings layers = host.column("rows", "layer"), values = host.column("rows", id);
  for (std::size_t i = 0; i < layers.size(); ++i)
    if (layers[i] == std::to_string(host.n_layers)) out.push_back(values[i]);
  return out;
}

// The summary but its intervals.
const std::vector<const char*> summary_parts = {"layer", "bucket", "flipped",     "total",
                                                "rate",  "label",  "matched_rate"};

}  // namespace

BOOST_AUTO_TEST_SUITE(flips_experiment)

BOOST_AUTO_TEST_CASE(a_layer_whose_guess_is_not_the_final_one_has_flipped) {
  fake_host host(flips_entry());
  const counts_file counts(host.tokenizer, {"~", " mat"});
  host.options["token-counts"] = counts.path();
  host.add("", "prompt", {prompt("on the")});
  host.model.top["on the"] = " mat";
  host.run();
  const std::string blur = std::to_string(host.tokenizer.id("~")),
                    mat = std::to_string(host.tokenizer.id(" mat"));
  const strings want = {"0|1|0|embed|0|" + blur + "|~|top10|" + mat + "|1",
                        "0|1|1|block.0.out|0.5|" + blur + "|~|top10|" + mat + "|1",
                        "0|1|2|block.1.out|1|" + mat + "| mat|top10|" + mat + "|0"};
  BOOST_TEST(host.rows("rows") == want, boost::test_tools::per_element());
  BOOST_TEST(host.file("rows") == "flips_{lens}");
  BOOST_TEST(host.file("summary") == "decision_flips_{lens}");
  BOOST_TEST(host.file("prompts") == "prompts_flips");
}

BOOST_AUTO_TEST_CASE(the_summary_has_all_buckets_of_every_layer_and_no_rate_without_guesses) {
  fake_host host(flips_entry());
  strings pieces = {"~"};  // " mat" comes 11th, " dog" is not in the table
  for (char c = 'a'; c <= 'i'; ++c) pieces.push_back({c});
  pieces.push_back(" mat");
  const counts_file counts(host.tokenizer, pieces);
  host.options["token-counts"] = counts.path();
  host.n_layers = 1;
  host.add("", "prompt", {prompt("on the"), prompt("a small"), prompt("so")});
  host.model.top = {{"on the", " mat"}, {"a small", " dog"}};  // after "so" it says "~" itself
  host.run();
  // Counts are 11 for "~" down to 1 for " mat": 65 in the top 10, 1 in the next bucket. Drawn from the top
  // 10, "~" comes with probability 11/65. One of three prompts ends with it: 1 - 11/195; alone 1 - 11/65.
  const strings want = {"0|top10|2|3|0.666667|Top 1-10|0.94359", "0|top100|0|0||Top 11-100|",
                        "0|top1000|0|0||Top 101-1000|",          "0|rest|0|0||Rest|",
                        "1|top10|0|1|0|Top 1-10|0.830769",       "1|top100|0|1|0|Top 11-100|0",
                        "1|top1000|0|0||Top 101-1000|",          "1|rest|0|1|0|Rest|"};
  BOOST_TEST(host.parts("summary", summary_parts) == want, boost::test_tools::per_element());
  BOOST_TEST(host.figure_prompts.at("decision_flips_{lens}") == 3);
  BOOST_TEST(host.counts.at(": kept") == 3);
}

BOOST_AUTO_TEST_CASE(a_final_top_of_white_space_counts_unless_the_rule_says_otherwise) {
  const auto last = [](const char* rule, std::map<std::string, std::string> top) {
    fake_host host(flips_entry());
    const counts_file counts(host.tokenizer, {"~"});
    host.options = {{"token-counts", counts.path()}, {"whitespace", rule}};
    host.add("", "prompt", {prompt("on the")});
    host.model.top = std::move(top);
    host.run();
    strings out;
    for (const char* id : {"text", "kept", "reason"}) out.push_back(host.column("prompts", id).front());
    for (const std::string& text : column_of_last_layer(host, "guess_text")) out.push_back(text);
    return out;
  };
  BOOST_TEST(last("keep", {{"on the", "\n"}}) == (strings{"on the", "1", "", "\n"}));
  BOOST_TEST(last("drop", {{"on the", "\n"}}) == (strings{"on the", "0", "white space"}));
  BOOST_TEST(last("retry", {{"on the", "\n"}, {"on the ", "mat"}}) == (strings{"on the ", "1", "", "mat"}));
  BOOST_TEST(last("retry", {{"on the", "\n"}, {"on the ", " "}}) == (strings{"on the ", "0", "white space"}));
}

BOOST_AUTO_TEST_CASE(all_positions_are_those_behind_a_token_that_is_not_special_and_not_the_first) {
  fake_host host(flips_entry(), true);
  const counts_file counts(host.tokenizer, {"~"});
  host.options = {{"token-counts", counts.path()}, {"positions", "all"}, {"whitespace", "drop"}};
  host.add("", "prompt", {prompt("on the mat"), prompt("")});
  host.model.top = {{"<s>on", " a"}, {"<s>on the", "\n"}, {"<s>on the mat", "."}};
  host.run();
  BOOST_TEST(column_of_last_layer(host, "position") == (strings{"1", "3"}));
  BOOST_TEST(column_of_last_layer(host, "guess_text") == (strings{" a", "."}));
  BOOST_TEST(host.asked == strings{"<s>on the mat"});
  BOOST_TEST(host.column("prompts", "reason") == (strings{"", "empty"}));
  BOOST_TEST(host.parts("summary", summary_parts).front() == "0|top10|2|2|1|Top 1-10|1");
}

BOOST_AUTO_TEST_CASE(over_long_prompts_are_not_run_and_counted) {
  fake_host host(flips_entry());
  const counts_file counts(host.tokenizer, {"~"});
  host.options["token-counts"] = counts.path();
  host.max_positions = 2;
  host.add("", "prompt", {prompt("on the mat"), prompt("on the")});
  host.run();
  BOOST_TEST(host.asked == strings{"on the"});
  BOOST_TEST(host.counts.at(": too long") == 1);
  BOOST_TEST(host.counts.at(": kept") == 1);
}

BOOST_AUTO_TEST_CASE(without_token_counts_the_line_that_makes_them_is_told) {
  fake_host host(flips_entry());
  host.add("", "prompt", {prompt("on the")});
  BOOST_CHECK_EXCEPTION(host.run(), depthlens::error, [](const depthlens::error& e) {
    return e.code() == depthlens::status::usage &&
           std::string_view(e.what()).find("depthlens tokens count --model M --text FILE --out JSON") !=
               std::string_view::npos;
  });
}

BOOST_AUTO_TEST_CASE(token_counts_of_another_tokenizer_are_refused) {
  fake_host host(flips_entry());
  depthlens::test::toy_tokenizer other;
  other.id("something");
  const counts_file counts(other, {" mat", "dog"});
  host.tokenizer.id("~");
  host.options["token-counts"] = counts.path();
  host.add("", "prompt", {prompt("on the")});
  BOOST_CHECK_EXCEPTION(host.run(), depthlens::error,
                        [](const depthlens::error& e) { return e.code() == depthlens::status::data; });
}

BOOST_AUTO_TEST_CASE(the_rate_of_drawn_tokens_is_the_mean_over_the_guesses_of_a_bucket) {
  fake_host host(flips_entry());
  strings pieces = {"~", " a", " b"};  // counts 12, 11, 10; " x" and " y" come 11th and 12th, with 2 and 1
  for (char c = 'a'; c <= 'g'; ++c) pieces.push_back({c});
  pieces.insert(pieces.end(), {" x", " y"});
  const counts_file counts(host.tokenizer, pieces);
  host.options["token-counts"] = counts.path();
  host.n_layers = 0;  // each guess is the final top-1
  host.add("", "prompt", {prompt("on"), prompt("at"), prompt("in"), prompt("by"), prompt("of")});
  host.model.top = {{"on", " a"}, {"at", " b"}, {"in", " b"}, {"by", " x"}, {"of", " y"}};
  host.run();
  // 12 + 11 + ... + 3 = 75: 1 - (11 + 10 + 10) / 75 / 3; 2 + 1 = 3: 1 - (2 + 1) / 3 / 2.
  BOOST_TEST(host.column("summary", "matched_rate") == (strings{"0.862222", "0.5", "", ""}));
}

BOOST_AUTO_TEST_CASE(the_figure_is_of_lines_and_has_the_rate_of_drawn_tokens_where_that_is_asked_for) {
  for (const bool asked : {false, true}) {
    fake_host host(flips_entry());
    const counts_file counts(host.tokenizer, {"~"});
    host.options["token-counts"] = counts.path();
    if (asked) host.options["baseline"] = "true";
    host.add("", "prompt", {prompt("on the")});
    host.run();
    const dlens_figure& figure = *host.figures()[0];
    BOOST_TEST(figure.kind == std::uint32_t{DLENS_FIGURE_LINES});
    BOOST_TEST(std::string_view(figure.baseline) == "matched_rate");
    BOOST_TEST(((figure.flags & DLENS_DRAW_CONTROLLED_BASELINE) != 0) == !asked);
    BOOST_TEST((figure.panels[0]->flags & DLENS_PANEL_LAYER_X) != 0U);
  }
}

BOOST_AUTO_TEST_CASE(the_published_figure_has_no_baseline) {
  fake_host host(flips_entry());
  const counts_file counts(host.tokenizer, {"~"});
  host.options = {{"token-counts", counts.path()}, {"baseline", "true"}};
  host.published = 1;
  host.add("", "prompt", {prompt("on the")});
  BOOST_CHECK_EXCEPTION(host.run(), depthlens::error, [](const depthlens::error& e) {
    return e.code() == depthlens::status::usage && std::string(e.what()).starts_with("--baseline ");
  });
}

BOOST_AUTO_TEST_CASE(all_positions_and_asking_again_exclude_each_other) {
  for (const bool published : {false, true}) {
    fake_host host(flips_entry());
    const counts_file counts(host.tokenizer, {"~"});
    host.options = {{"token-counts", counts.path()}, {"positions", "all"}};
    if (published)
      host.published = 1;
    else
      host.options["whitespace"] = "retry";
    host.add("", "prompt", {prompt("on the")});
    BOOST_CHECK_EXCEPTION(host.run(), depthlens::error,
                          [](const depthlens::error& e) { return e.code() == depthlens::status::usage; });
  }
}

BOOST_AUTO_TEST_CASE(a_table_that_does_not_fill_the_buckets_is_warned_of_with_its_size) {
  check_warning_of_few_counts(flips_entry());
}

BOOST_AUTO_TEST_SUITE_END()
