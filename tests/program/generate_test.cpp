// SPDX-License-Identifier: Apache-2.0
// Texts that the model says: trace and run agree on them, nothing depends on how the work is divided, answers
// are read where they are said, and layers write texts of their own.
#include "program/prompt_run.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <set>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(generated_text)

namespace {

using depthlens::status;
using namespace depthlens::test;
namespace fs = std::filesystem;

struct generating_run : prompt_run {
  generating_run()
      : prompt_run(R"([{"prompt": "The capital of France is"}, {"prompt": "Once upon a time"},
                       {"prompt": "One, two, three,"}, {"prompt": "The capital of France is"}])") {}
};

}  // namespace

BOOST_AUTO_TEST_CASE(trace_and_run_say_the_same_and_read_each_token_where_it_comes_next) {
  const generating_run r;
  must_work(r.freq() + words{"--generate", "6"});
  const outcome traced = must_work({"trace", "--model", demo_model(), "--prompt", "The capital of France is",
                                    "--generate", "6", "--json"});
  const boost::json::object trace = boost::json::parse(traced.out).as_object();
  const boost::json::array& ids = trace.at("ids").as_array();
  BOOST_TEST(trace.at("said").as_string().find("Paris") != std::string::npos);
  std::string as_text;
  for (const auto& id : ids) as_text += (as_text.empty() ? "" : " ") + boost::json::serialize(id);
  BOOST_TEST(table_rows(r.out(), "prompts_freq.csv").at(0).at("ids") == as_text);
  const boost::json::array& readings = trace.at("readings").as_array();
  BOOST_TEST(readings.size() == 6U);
  for (const auto& reading : readings) {
    const auto position = static_cast<std::size_t>(reading.at("position").as_int64());
    BOOST_TEST(reading.at("target").as_int64() == ids.at(position + 1).as_int64());
  }
  std::map<std::string, std::set<std::string>> positions;  // by prompt
  for (const table_row& row : table_rows(r.out(), "freq_logit.csv")) {
    positions[row.at("prompt_id")].insert(row.at("position"));
    if (row.at("layer") == "30") BOOST_TEST(row.at("guess") == row.at("final"));
  }
  BOOST_TEST(positions.at("0").size() == 6U);
  BOOST_TEST((positions.at("0") == positions.at("3")));
}

BOOST_AUTO_TEST_CASE(what_is_said_depends_on_nothing_but_the_model_and_the_prompt) {
  const generating_run r;
  must_work(r.freq("whole") + words{"--generate", "5"});
  must_work(r.freq("divided") +
            words{"--generate", "5", "--threads", "1", "--window", "2", "--pack-tokens", "3"});
  must_work(r.freq("streamed") + words{"--generate", "5", "--memory", "230M"});
  must_work(r.freq("steps") + words{"--generate", "5", "--limit", "2"});
  must_work(r.freq("steps") + words{"--generate", "5"});
  for (const char* other : {"divided", "streamed", "steps"})
    check_same_tables(tables_of(r.out(other)), tables_of(r.out("whole")));
  check_refused(r.freq("whole") + words{"--generate", "4"}, status::config, "generate");
  check_refused(r.freq("whole"), status::config, "generate");
}

BOOST_AUTO_TEST_CASE(answers_are_read_where_they_are_said) {
  const scratch_folder folder;
  const fs::path out = folder.path() / "run";
  must_work({"run", "facts", "downstream", "--model", demo_model(), "--data",
             "facts=" + demo_data("facts.json").string(), "--data",
             "downstream.mood=" + demo_data("sentiment.json").string(), "--limit", "6", "--format", "svg",
             "--generate", "12", "--out", out.string()});
  std::size_t said = 0, not_said = 0;
  for (const table_row& row : table_rows(out, "prompts_facts.csv")) {
    if (row.at("kept") == "1") ++said;
    if (row.at("reason") == "not said") ++not_said;
  }
  BOOST_TEST(said > 0U);
  BOOST_TEST(said + not_said == 6U);
  for (const table_row& row : table_rows(out, "facts_logit.csv"))
    if (row.at("layer") == "30" && row.at("token_num") == "0") BOOST_TEST(row.at("rank") == "1");
  for (const table_row& row : table_rows(out, "prompts_downstream_mood.csv"))
    BOOST_TEST((row.at("kept") == "1" || row.at("reason") == "not said"), row.at("reason"));
}

BOOST_AUTO_TEST_CASE(each_layer_writes_a_text_of_its_own_and_the_last_one_the_models) {
  const generating_run r;
  const words command = {
      "run", "early-exit",          "--model", demo_model(), "--data", "early-exit=" + r.prompts, "--format",
      "svg", "--early-exit.tokens", "4",       "--limit",    "2"};
  must_work(command + words{"--out", r.out("a").string()});
  must_work(command + words{"--out", r.out("b").string(), "--threads", "1", "--pack-tokens", "2"});
  check_same_tables(tables_of(r.out("a")), tables_of(r.out("b")));
  const outcome traced = must_work({"trace", "--model", demo_model(), "--prompt", "The capital of France is",
                                    "--generate", "4", "--json"});
  const auto said = boost::json::parse(traced.out).at("said").as_string();
  std::size_t layers = 0;
  for (const table_row& row : table_rows(r.out("a"), "early_exit_texts_logit.csv")) {
    layers += row.at("prompt_id") == "0" ? 1 : 0;
    if (row.at("layer") != "30") continue;
    BOOST_TEST(row.at("same") == row.at("places"));
    BOOST_TEST(row.at("beginning") == row.at("places"));
    if (row.at("prompt_id") == "0") BOOST_TEST(row.at("text") == said);
  }
  BOOST_TEST(layers == 31U);
  // The first token of each is the guess that the layer has at the prompt's end.
  std::map<std::string, bool> match;
  for (const table_row& row : table_rows(r.out("a"), "early-exit_logit.csv"))
    if (row.at("prompt_id") == "1") match[row.at("layer")] = row.at("match") == "1";
  for (const table_row& row : table_rows(r.out("a"), "early_exit_texts_logit.csv"))
    if (row.at("prompt_id") == "1")
      BOOST_TEST((row.at("beginning") != "0") == match.at(row.at("layer")), "layer " << row.at("layer"));
}

BOOST_AUTO_TEST_CASE(texts_that_cannot_be_are_refused_or_not_kept) {
  const generating_run r;
  check_refused(r.freq() + words{"--generate", "0"}, status::usage, "generate");
  check_refused(r.freq() + words{"--generate", "5", "--seed-compat"}, status::usage, "--seed-compat");
  check_refused(r.freq() + words{"--generate", "5", "--whitespace", "retry"}, status::usage, "retry");
  check_refused({"run", "pos", "--model", demo_model(), "--data", "pos=" + demo_data("prose.conllu").string(),
                 "--generate", "5", "--out", r.out().string()},
                status::usage, "experiment pos", "--generate");
  check_refused({"trace", "--model", demo_model(), "--prompt", "a", "--generate", "2", "--patch-from", "b"},
                status::usage, "--patch-from");
  std::string longest;
  for (int i = 0; i < 8189; ++i) longest += " word";
  const scratch_folder folder;
  const std::string rows =
      folder.write("long.json", R"([{"prompt": ")" + longest + R"("}, {"prompt": "A"}])");
  const fs::path out = folder.path() / "run";
  must_work({"run", "freq", "--model", demo_model(), "--data", "freq=" + rows, "--token-counts",
             token_counts(), "--format", "svg", "--generate", "8", "--out", out.string()});
  BOOST_TEST(table_rows(out, "prompts_freq.csv").at(0).at("reason") == "too long");
  BOOST_TEST(table_rows(out, "prompts_freq.csv").at(1).at("kept") == "1");
  check_refused({"trace", "--model", demo_model(), "--prompt", longest, "--generate", "8"}, status::data,
                "8 behind it");
}

BOOST_AUTO_TEST_SUITE_END()
