// SPDX-License-Identifier: Apache-2.0
// Rows of two runs joined and compared: numbers, clusters, what has no partner, and tables that are broken.
#include "comparison/paired_differences.hpp"
#include "depthlens/base/error.hpp"
#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace depthlens;
using namespace depthlens::test;

namespace {

compared_run run_of(unsigned n_layers, const char* tokenizer = "one") {
  compared_run out;
  out.n_layers = n_layers;
  out.manifest = {{"key", {{"tokenizer_sha256", tokenizer}, {"target", "final"}}}};
  return out;
}

struct two_tables {
  scratch_folder folder;
  paired_table tables{.table = "t", .lens = "logit", .other_lens = "logit", .prompts = {}};
  two_tables(const std::string& mine, const std::string& others) {
    tables.rows = folder.write("mine.csv", mine);
    tables.other_rows = folder.write("others.csv", others);
  }
  paired_rows pair(unsigned n_layers = 1, unsigned others_layers = 1) const {
    return pair_rows(run_of(n_layers), run_of(others_layers), tables);
  }
  void check_broken(const std::string& part) const {
    BOOST_CHECK_EXCEPTION(pair(), error, [&](const error& e) {
      return e.code() == status::data && std::string_view(e.what()).find(part) != std::string_view::npos;
    });
  }
};

const paired_difference& line(const paired_rows& rows, std::string_view measure,
                              std::optional<std::uint32_t> layer) {
  const auto at = std::find_if(rows.differences.begin(), rows.differences.end(),
                               [&](const auto& d) { return d.measure == measure && d.layer == layer; });
  BOOST_REQUIRE_MESSAGE((at != rows.differences.end()), measure << " is missing");
  return *at;
}

const std::string head = "prompt_id,position,layer,target,guess,rank,logprob,entropy\n";

}  // namespace

BOOST_AUTO_TEST_SUITE(paired_differences)

BOOST_AUTO_TEST_CASE(means_are_taken_over_the_rows_that_both_runs_have) {
  const two_tables t(head + "0,3,0,7,5,2,-1,2\n0,3,1,7,7,1,-0.5,1\n2,3,0,7,5,1,0,1.5\n2,3,1,9,9,1,-1,1\n",
                     head +
                         "0,3,0,7,5,1,-2,1\n0,3,1,7,7,1,-0.5,1\n1,3,0,7,7,1,0,1\n2,3,0,9,6,4,-1,1\n"
                         "2,3,1,8,8,1,-1,0.5\n2,4,1,8,8,1,-1,0.5\n");
  const paired_rows rows = t.pair();
  BOOST_TEST(rows.not_paired == "");
  BOOST_TEST(rows.joined == 4U);
  BOOST_TEST(rows.of_run_alone == 0U);
  BOOST_TEST(rows.of_other_alone == 2U);
  const paired_difference& p = line(rows, "probability", 0);
  BOOST_TEST(p.difference == (std::exp(-1) + 1) / 2 - (std::exp(-2) + std::exp(-1)) / 2,
             boost::test_tools::tolerance(1e-12));
  BOOST_TEST(p.n == 2U);
  BOOST_TEST(p.n_clusters == 2U);
  BOOST_TEST_REQUIRE(p.ends.has_value());
  BOOST_TEST(p.ends->low > 0);  // positive for either prompt
  BOOST_TEST(p.ends->high < 1);
  BOOST_TEST(*p.above_zero == 1);
  BOOST_TEST(line(rows, "log_rank", 0).difference == (std::log(2) - std::log(4)) / 2,
             boost::test_tools::tolerance(1e-12));
  BOOST_TEST(line(rows, "entropy", 1).difference == 0.25);
  BOOST_TEST(line(rows, "guess_differs", 0).difference == 0.5);
  BOOST_TEST(!line(rows, "guess_differs", 0).above_zero.has_value());
  const paired_difference& output = line(rows, "final_differs", std::nullopt);
  BOOST_TEST(output.difference == 0.5);
  BOOST_TEST(output.ends->low == wilson(1, 2).low);
  BOOST_TEST(output.n == 2U);
  const bool has_kl = std::any_of(rows.differences.begin(), rows.differences.end(),
                                  [](const paired_difference& d) { return d.measure == "kl"; });
  BOOST_TEST(!has_kl);
}

BOOST_AUTO_TEST_CASE(a_run_and_itself_differ_in_nothing) {
  const std::string table = head + "0,3,0,7,5,2,-1,2\n0,3,1,7,7,1,-0.5,1\n1,3,0,7,5,1,0,1.5\n";
  const paired_rows rows = two_tables(table, table).pair();
  BOOST_TEST(rows.joined == 3U);
  for (const paired_difference& d : rows.differences) {
    BOOST_TEST(d.difference == 0);
    if (d.above_zero) BOOST_TEST(*d.above_zero == 0.5);
  }
}

BOOST_AUTO_TEST_CASE(prompts_of_one_cluster_count_together) {
  two_tables t(head + "0,3,1,7,7,1,0,2\n1,3,1,7,7,1,0,2\n2,3,1,7,7,1,0,2\n",
               head + "0,3,1,7,7,1,-1,1\n1,3,1,7,7,1,-1,1\n2,3,1,7,7,1,-1,3\n");
  BOOST_TEST(line(t.pair(), "entropy", 1).n_clusters == 3U);
  t.tables.prompts = t.folder.write("prompts.csv", "prompt_id,cluster\n0,-5\n0,-5\n1,-5\n2,\n");
  BOOST_TEST(line(t.pair(), "entropy", 1).n_clusters == 2U);
  t.tables.prompts = t.folder.write("prompts.csv", "prompt_id,cluster\n0,8\n1,8\n2,8\n");
  const paired_difference d = line(t.pair(), "entropy", 1);
  BOOST_TEST(d.n_clusters == 1U);
  BOOST_TEST(!d.ends.has_value());
  BOOST_TEST(!d.above_zero.has_value());
}

BOOST_AUTO_TEST_CASE(of_models_of_different_depth_the_outputs_are_compared) {
  const two_tables t(head + "0,3,0,7,5,2,-1,2\n0,3,1,7,7,1,-0.5,1\n",
                     head + "0,3,0,7,5,2,-1,2\n0,3,1,8,5,2,-1,2\n0,3,2,8,8,1,-0.5,1\n");
  const paired_rows rows = t.pair(1, 2);
  BOOST_TEST_REQUIRE(rows.differences.size() == 1U);
  BOOST_TEST(line(rows, "final_differs", std::nullopt).difference == 1);
  BOOST_TEST(rows.joined == 1U);
  BOOST_TEST(rows.of_run_alone == 1U);
  BOOST_TEST(rows.of_other_alone == 2U);
}

BOOST_AUTO_TEST_CASE(of_the_rows_of_options_those_of_the_first_are_taken) {
  const std::string options = "prompt_id,position,layer,guess,entropy,option\n";
  const std::string table = options + "0,3,1,7,2,\"yes\"\n0,3,1,7,2,\"no\"\n1,3,1,7,1,\"no\"\n";
  const paired_rows rows = two_tables(table, table).pair();
  BOOST_TEST(rows.joined == 2U);
}

BOOST_AUTO_TEST_CASE(tables_that_cannot_be_joined_say_why) {
  const std::string row = "0,3,1,7,7,1,0,2\n", one = "1,3,1,7,7,1,0,2\n";
  BOOST_TEST(two_tables(head + row + row, head + row).pair().not_paired.find("told apart") !=
             std::string::npos);
  BOOST_TEST(two_tables(head + row, head + row + row).pair().not_paired.find("told apart") !=
             std::string::npos);
  BOOST_TEST(two_tables(head + one + row, head + one + row).pair().not_paired.find("ascending") !=
             std::string::npos);
  BOOST_TEST(two_tables(head + row, head + one).pair().not_paired == "no row is in both runs");
  const two_tables t(head + row, head + row);
  BOOST_TEST(pair_rows(run_of(1, "one"), run_of(1, "two"), t.tables).not_paired.find("tokenizers") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(broken_tables_are_refused_with_their_place) {
  const std::string good = head + "0,3,1,7,7,1,0,2\n";
  two_tables(good + "1,3,2,7,7,1,0,2\n", good).check_broken("mine.csv:3: layer 2 of a model");
  two_tables(good, good + "1,3,-1,7,7,1,0,2\n").check_broken("others.csv:3: layer -1");
  two_tables(good + "1,3,1,7,7,1,x,2\n", good)
      .check_broken("mine.csv:3: column \"logprob\": 'x' is no number");
  two_tables(good + "1,three,1,7,7,1,0,2\n", good).check_broken("mine.csv:3: column \"position\"");
  two_tables(good + "99999999999999999999,3,1,7,7,1,0,2\n", good).check_broken("column \"prompt_id\"");
}

BOOST_AUTO_TEST_SUITE_END()
