// SPDX-License-Identifier: Apache-2.0
// The freq experiment against a scripted model: buckets of guesses, and the two orders of the token table.
// What it shares with flips is tested there.
#define dlens_entry_v1 freq_entry
#include "../../experiments/freq/freq.cpp"
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

}  // namespace

BOOST_AUTO_TEST_SUITE(freq_experiment)

BOOST_AUTO_TEST_CASE(rows_say_the_bucket_of_each_guess_and_of_the_final_one) {
  fake_host host(freq_entry());
  const counts_file counts(host.tokenizer, {"~"});
  host.options["token-counts"] = counts.path();
  host.n_layers = 1;
  host.add("", "cut", {prompt("on the")});
  host.model.top["on the"] = " mat";
  host.run();
  const std::string mat = std::to_string(host.tokenizer.id(" mat"));
  const strings want = {"0|1|0|embed|0|1|~|top10|" + mat + "|rest",
                        "0|1|1|block.0.out|1|" + mat + "| mat|rest|" + mat + "|rest"};
  BOOST_TEST(host.rows("rows") == want, boost::test_tools::per_element());
  BOOST_TEST(host.columns("rows").back() == "final_bucket");
  BOOST_TEST(host.file("rows") == "freq_{lens}");
}

BOOST_AUTO_TEST_CASE(the_buckets_of_every_layer_add_up_to_the_prompts) {
  fake_host host(freq_entry());
  const counts_file counts(host.tokenizer, {"~"});
  host.options["token-counts"] = counts.path();
  host.n_layers = 1;
  host.add("", "prompt", {prompt("on the"), prompt("a small"), prompt("so"), prompt("in")});
  host.model.top = {{"on the", " mat"}, {"a small", " dog"}, {"in", "\n"}};
  host.run();
  const strings want = {"0|top10|4|4|1|Top 1-10|1",       "0|top100|0|4|0|Top 11-100|0",
                        "0|top1000|0|4|0|Top 101-1000|0", "0|rest|0|4|0|Rest|0",
                        "1|top10|1|4|0.25|Top 1-10|1",    "1|top100|0|4|0|Top 11-100|0",
                        "1|top1000|0|4|0|Top 101-1000|0", "1|rest|3|4|0.75|Rest|0"};
  BOOST_TEST(
      host.parts("summary", {"layer", "bucket", "count", "prompts", "share", "label", "text_share"}) == want,
      boost::test_tools::per_element());
  BOOST_TEST(host.figure_prompts.at("frequency_buckets_{lens}") == 4);
}

// Eleven tokens: by count "~" comes last and is in top100, by the ratio in the file it comes first.
BOOST_AUTO_TEST_CASE(places_follow_the_count_and_as_published_the_stored_ratio) {
  for (const bool published : {false, true}) {
    fake_host host(freq_entry());
    std::string json = "{";
    for (char c = 'a'; c <= 'j'; ++c)
      json += '"' + std::to_string(host.tokenizer.id({&c, 1})) + "\": {\"token\": \"" + c +
              "\", \"count\": 9, \"ratio\": 0.1},";
    json += '"' + std::to_string(host.tokenizer.id("~")) +
            "\": {\"token\": \"~\", \"count\": 1, \"ratio\": 0.2}}";
    const counts_file counts(json);
    host.options["token-counts"] = counts.path();
    host.published = published ? 1 : 0;
    host.add("", "prompt", {prompt("on the")});
    host.model.top["on the"] = " mat";
    host.run();
    BOOST_TEST(host.column("rows", "bucket").front() == (published ? "top10" : "top100"));
  }
}

BOOST_AUTO_TEST_CASE(without_prompts_the_summary_is_empty) {
  fake_host host(freq_entry());
  const counts_file counts(host.tokenizer, {"~"});
  host.options["token-counts"] = counts.path();
  host.add("", "prompt", {prompt("")});
  host.run();
  BOOST_TEST(host.rows("summary").empty());
  BOOST_TEST(host.column("prompts", "reason") == strings{"empty"});
  BOOST_TEST(host.figure_prompts.at("frequency_buckets_{lens}") == 0);
}

BOOST_AUTO_TEST_CASE(a_table_that_does_not_fill_the_buckets_is_warned_of_with_its_size) {
  check_warning_of_few_counts(freq_entry());
}

BOOST_AUTO_TEST_SUITE_END()
