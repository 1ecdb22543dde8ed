// SPDX-License-Identifier: Apache-2.0
// Controls by other weights and by shuffled prompts: beside each lens, at the same places for the same
// targets, whatever the work is divided into.
#include "program/prompt_run.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(controls)

namespace {

using depthlens::status;
using namespace depthlens::test;
namespace fs = std::filesystem;

struct controlled_run : prompt_run {
  controlled_run()
      : prompt_run(R"([{"prompt": "The capital of France is the city of"}, {"prompt": "Word"},
                       {"prompt": "Once upon a time there was a little"}])") {}
  words freq(const char* name, const char* null) const {
    return prompt_run::freq(name) + words{"--null", null};
  }
};

void check_same_places(const std::vector<table_row>& rows, const std::vector<table_row>& control) {
  BOOST_TEST_REQUIRE(rows.size() == control.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (const char* column : {"prompt_id", "position", "layer", "final"})
      BOOST_TEST(rows[i].at(column) == control[i].at(column), column << " of row " << i);
}

std::size_t other_guesses(const std::vector<table_row>& rows, const std::vector<table_row>& control,
                          const std::string& prompt) {
  std::size_t n = 0;
  for (std::size_t i = 0; i < rows.size(); ++i)
    n += rows[i].at("prompt_id") == prompt && rows[i].at("guess") != control[i].at("guess") ? 1 : 0;
  return n;
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_untrained_model_is_read_at_the_same_places_for_the_same_targets) {
  const controlled_run r;
  must_work(r.freq("a", "untrained"));
  must_work(r.freq("b", "untrained") + words{"--threads", "1", "--pack-tokens", "4", "--window", "1"});
  must_work(r.freq("other", "untrained") + words{"--seed", "7"});
  check_same_tables(tables_of(r.out("a")), tables_of(r.out("b")));
  const auto rows = table_rows(r.out("a"), "freq_logit.csv");
  const auto control = table_rows(r.out("a"), "freq_logit-null.csv");
  check_same_places(rows, control);
  BOOST_TEST(other_guesses(rows, control, "0") > 25U);
  BOOST_TEST(other_guesses(control, table_rows(r.out("other"), "freq_logit-null.csv"), "0") > 10U);
  BOOST_TEST(tables_of(r.out("a")).at("freq_logit.csv") == tables_of(r.out("other")).at("freq_logit.csv"));
  const boost::json::object lenses = manifest_of(r.out("a")).at("lenses").as_object();
  BOOST_TEST(lenses.at("logit-null").at("control").as_string() == "null untrained, seed 42");
  const std::string figure = read_bytes(r.out("a") / "plots/frequency_buckets_logit_null.svg");
  BOOST_TEST(figure.find("untrained") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_shuffled_prompt_is_read_behind_its_own_last_token) {
  const controlled_run r;
  must_work(r.freq("a", "shuffled"));
  must_work(r.freq("b", "shuffled") + words{"--threads", "1", "--pack-tokens", "4", "--window", "1"});
  must_work(r.freq("streamed", "shuffled") + words{"--memory", "230M"});
  check_same_tables(tables_of(r.out("a")), tables_of(r.out("b")));
  check_same_tables(tables_of(r.out("a")), tables_of(r.out("streamed")));
  const auto rows = table_rows(r.out("a"), "freq_logit.csv");
  const auto control = table_rows(r.out("a"), "freq_logit-null.csv");
  check_same_places(rows, control);
  BOOST_TEST(other_guesses(rows, control, "1") == 0U);  // of one token
  BOOST_TEST(other_guesses(rows, control, "0") > 2U);
  for (std::size_t i = 0; i < rows.size(); ++i)  // embeddings know no order
    if (rows[i].at("layer") == "0") BOOST_TEST(rows[i].at("guess") == control[i].at("guess"));
}

BOOST_AUTO_TEST_CASE(an_experiment_that_changes_states_has_no_shuffled_control) {
  const controlled_run r;
  check_refused(
      {"run", "patching", "--model", demo_model(), "--data", "patching.source=" + r.prompts, "--data",
       "patching.target=" + r.prompts, "--null", "shuffled", "--out", r.out("p").string()},
      status::unavailable, "--null shuffled");
}

BOOST_AUTO_TEST_SUITE_END()
