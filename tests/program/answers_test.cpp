// SPDX-License-Identifier: Apache-2.0
// What the demo model says of answers and options with blanks of their own, of prompts that end in a blank,
// of listed options, and what becomes of records that make no prompt. Ids, ranks and log-probabilities are
// those that transformers gives for the same weights.
#include "program/demo.hpp"

#include "depthlens/table/csv.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(answers)

namespace {

using namespace depthlens;
using namespace depthlens::test;

using row = std::map<std::string, std::string>;

std::vector<row> table_of(const std::filesystem::path& file) {
  csv_reader reader(file);
  std::vector<row> out;
  for (std::vector<std::string> values; reader.next(values);) {
    row& r = out.emplace_back();
    for (std::size_t i = 0; i < values.size(); ++i) r[reader.header()[i]] = values[i];
  }
  return out;
}

// A run of one experiment on a file with this content.
struct small_run {
  scratch_folder folder;
  outcome said;

  small_run(const std::string& key, const std::string& name, const std::string& content,
            const words& more = {}) {
    const std::string file = folder.write(name, content);
    said = must_work(words{"run", key.substr(0, key.find('.')), "--model", demo_model(), "--out", root(),
                           "--data", key + "=" + file, "--format", "svg", "--whitespace", "keep"} +
                     more);
  }
  std::filesystem::path root() const { return folder.path() / "run"; }
  std::vector<row> table(const std::string& name) const { return table_of(root() / "data" / name); }
  // Rows of the last layer.
  std::vector<row> last(const std::string& name) const {
    std::vector<row> all = table(name);
    std::erase_if(all, [](const row& r) { return r.at("layer") != "30"; });
    return all;
  }
  std::size_t warnings(std::string_view text) const {
    std::size_t n = 0;
    for (const std::string& line : lines_of(said.err))
      n += line.find("warning: ") != line.npos && line.find(text) != line.npos;
    return n;
  }
};

void check_gold(const row& r, const char* id, const char* rank, double logprob) {
  BOOST_TEST(r.at("gold") == id);
  BOOST_TEST(r.at("gold_rank") == rank);
  BOOST_TEST(std::abs(std::stod(r.at("gold_logprob")) - logprob) < 2e-3, r.at("gold_logprob"));
}

const std::string review =
    R"("prompt":"Review: a dull film.\nSentiment: negative\nReview: I laughed all evening.\nSentiment:)";

}  // namespace

BOOST_AUTO_TEST_CASE(a_blank_of_the_answers_own_is_not_doubled) {
  const small_run facts("facts", "f.jsonl",
                        "{\"prompt\":\"The capital of France is\",\"answer\":\"Lyon\"}\n"
                        "{\"prompt\":\"The capital of France is\",\"answer\":\" Lyon\"}\n"
                        "{\"prompt\":\"The capital of France is\",\"answer\":\" Rome\"}\n");
  const std::vector<row> rows = facts.last("facts_logit.csv");
  BOOST_REQUIRE(rows.size() == 3U);
  check_gold(rows[0], "38034", "33", -7.149);
  check_gold(rows[1], "38034", "33", -7.149);
  check_gold(rows[2], "7268", "45", -7.5706);
  BOOST_TEST(rows[1].at("answer") == " Lyon");
  const small_run options(
      "downstream.S", "o.jsonl",
      "{" + review + R"(","answer":" positive"})" + "\n{" + review + R"(","answer":" negative"})");
  for (const row& r : options.last("downstream_S_logit.csv")) {
    const bool positive = r.at("option") == " positive";
    BOOST_TEST(r.at("position") == "22");
    BOOST_TEST(r.at("option_rank") == (positive ? "1" : "2"));
    BOOST_TEST(std::abs(std::stod(r.at("option_logprob")) - (positive ? -0.7512 : -0.7913)) < 2e-3);
  }
  BOOST_TEST(options.warnings("") == 0U, options.said.err);
}

BOOST_AUTO_TEST_CASE(a_blank_at_the_prompts_end_is_the_only_one_and_is_warned_of_with_a_count) {
  const small_run facts(
      "facts", "f.jsonl",
      "{\"prompt\":\"The capital of France is \",\"answer\":\"Paris\"}\n"
      "{\"prompt\":\"The capital of France is \",\"answer\":\"Paris\","
      "\"text\":\"The capital of France is Paris.\"}\n{\"prompt\":\"One\\n\",\"answer\":\"a\"}\n",
      {"--facts.duplicates", "keep"});
  const std::vector<row> rows = facts.last("facts_logit.csv");
  BOOST_REQUIRE(rows.size() == 3U);
  check_gold(rows[0], "38634", "18", -7.225);
  check_gold(rows[1], "38634", "18", -7.225);
  BOOST_TEST(facts.warnings("end in a blank") == 1U, facts.said.err);
  BOOST_TEST(facts.warnings("f.jsonl: 2 of 3 prompts end in a blank") == 1U, facts.said.err);
  const small_run options(
      "downstream.S", "o.jsonl",
      "{" + review + R"( ","answer":"positive"})" + "\n{" + review + R"( ","answer":"negative"})");
  for (const row& r : options.last("downstream_S_logit.csv")) {
    BOOST_TEST(r.at("option_text") == r.at("option"));
    BOOST_TEST(r.at("position") == "23");
  }
  BOOST_TEST(options.warnings("2 of 2 prompts end in a blank") == 1U, options.said.err);
  BOOST_TEST(options.warnings("downstream.S: at the last layer the options hold") == 1U, options.said.err);
}

BOOST_AUTO_TEST_CASE(hops_without_cloze_or_answer_are_listed_and_counted_behind_the_others) {
  for (const words& mode : {words{}, words{"--seed-compat"}}) {
    const small_run facts(
        "facts", "hops.json",
        R"([{"single_hops":[{"cloze":"Ice is made of"},{"cloze":"Snow is","answer":"white"}]},
                              {"single_hops":[{"answer":"x"},{"cloze":"Coal is","answer":"black"}]}])",
        mode);
    const std::vector<row> rows = facts.table("prompts_facts.csv");
    BOOST_REQUIRE(rows.size() == 4U);
    const std::vector<std::string> texts = {"Snow is", "Coal is", "Ice is made of", ""};
    const std::vector<std::string> reasons = {"no answer", "no prompt"};
    for (std::size_t i = 0; i < 4; ++i) {
      BOOST_TEST(rows[i].at("prompt_id") == std::to_string(i));
      BOOST_TEST(rows[i].at("text") == texts[i]);
      if (i > 1) BOOST_TEST(rows[i].at("reason") == reasons[i - 2]);
    }
    const boost::json::object counts = manifest_of(facts.root()).at("counts").at("facts").at("").as_object();
    BOOST_TEST(counts.at("no answer").to_number<int>() == 1);
    BOOST_TEST(counts.at("no prompt").to_number<int>() == 1);
    BOOST_TEST(facts.said.err.find("2 of 4 records are left out") != std::string::npos, facts.said.err);
  }
}

BOOST_AUTO_TEST_CASE(a_question_with_choices_has_all_letters_as_options_whatever_the_answers) {
  const std::string row_of =
      R"({"question":"What is N + N?","subject":"sums","choices":["0","2","4","6"],"answer":M})";
  std::string rows;
  for (const char n : {'1', '2'}) {
    std::string one = row_of;
    std::replace(one.begin(), one.end(), 'N', n);
    std::replace(one.begin(), one.end(), 'M', n);
    rows += one + "\n";
  }
  const small_run run("downstream.MMLU", "m.jsonl", rows);
  std::vector<std::string> options;
  for (const row& r : run.last("downstream_MMLU_logit.csv")) options.push_back(r.at("option"));
  BOOST_TEST(options == std::vector<std::string>({"A", "B", "C", "D", "A", "B", "C", "D"}),
             boost::test_tools::per_element());
  BOOST_TEST(run.table("prompts_downstream_MMLU.csv").at(1).at("text").ends_with("D. 6\nAnswer:"));
}

BOOST_AUTO_TEST_CASE(csv_and_tsv_rows_make_the_tables_of_the_same_rows_in_json) {
  const small_run json(
      "facts", "f.jsonl",
      "{\"prompt\":\"The capital of France is\",\"answer\":\"Paris\"}\n"
      "{\"prompt\":\"Snow, \\\"as ever\\\", is\",\"answer\":\" white\"}\n{\"prompt\":\"So it\"}\n");
  const small_run csv(
      "facts", "f.csv",
      "prompt,answer\nThe capital of France is,Paris\n\"Snow, \"\"as ever\"\", is\", white\nSo it,\n");
  const small_run tsv(
      "facts", "f.tsv",
      "answer\tprompt\nParis\tThe capital of France is\n white\t\"Snow, \"\"as ever\"\", is\"\n\tSo it\n");
  BOOST_TEST((tables_of(csv.root()) == tables_of(json.root())));
  BOOST_TEST((tables_of(tsv.root()) == tables_of(json.root())));
  BOOST_TEST(json.table("prompts_facts.csv").at(2).at("reason") == "no answer");
}

BOOST_AUTO_TEST_SUITE_END()
