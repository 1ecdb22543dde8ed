// SPDX-License-Identifier: Apache-2.0
// The experiment early-exit on the demo model: its rows against those of freq, which are read in the same
// pass, its sums against its rows, and wrong use.
#include "program/demo.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

using depthlens::status;
using namespace depthlens::test;
namespace fs = std::filesystem;

BOOST_AUTO_TEST_SUITE(early_exit)

namespace {

using row = table_row;

double number(const row& r, const char* column) { return std::stod(r.at(column)); }

constexpr double n_layers = 30;

// Mean exit layer, match rate and share saved of an exit at the first layer that is so sure, from the rows.
std::array<double, 3> exit_by(const std::vector<row>& rows, double confidence) {
  std::map<std::string, std::pair<double, bool>> exits;  // prompt -> layer, match
  for (const row& r : rows) {
    const double layer = number(r, "layer");
    if (layer > 0 && (layer == n_layers || number(r, "confidence") >= confidence))
      exits.try_emplace(r.at("prompt_id"), layer, r.at("match") == "1");
  }
  double layers = 0, matches = 0;
  const auto n = static_cast<double>(exits.size());
  for (const auto& [prompt, at] : exits) layers += at.first, matches += at.second ? 1 : 0;
  return {layers / n, matches / n, 1 - layers / n / n_layers};
}

}  // namespace

BOOST_AUTO_TEST_CASE(guesses_are_those_of_freq_and_sums_are_those_of_the_rows) {
  const scratch_folder folder;
  const fs::path out = folder.path() / "run";
  must_work({"run", "freq", "early-exit", "--model", demo_model(), "--data",
             "freq,early-exit=" + demo_data("prose.conllu").string(), "--token-counts", token_counts(),
             "--limit", "25", "--format", "svg", "--out", out.string()});
  const std::vector<row> freq = table_rows(out, "freq_logit.csv"),
                         own = table_rows(out, "early-exit_logit.csv");
  BOOST_TEST_REQUIRE(own.size() == freq.size());
  BOOST_TEST(own.size() == 25U * 31U);
  std::map<std::string, std::pair<double, double>> rates;  // layer -> matches, positions
  for (std::size_t i = 0; i < own.size(); ++i) {
    for (const char* column : {"prompt_id", "position", "layer", "guess", "final"})
      BOOST_TEST(own[i].at(column) == freq[i].at(column), column);
    auto& [matches, n] = rates[freq[i].at("layer")];
    matches += freq[i].at("guess") == freq[i].at("final") ? 1 : 0;
    ++n;
    BOOST_TEST(number(own[i], "final_probability") <= number(own[i], "confidence") + 1e-6);
  }
  std::size_t n_rates = 0;
  for (const row& r : table_rows(out, "early_exit_layers_logit.csv")) {
    if (r.at("measure") != "match_rate") continue;
    const auto& [matches, n] = rates.at(r.at("layer"));
    BOOST_TEST(number(r, "value") == matches / n, boost::test_tools::tolerance(1e-12));
    ++n_rates;
  }
  BOOST_TEST(n_rates == 31U);
  const std::vector<row> sweep = table_rows(out, "early_exit_sweep_logit.csv");
  BOOST_TEST(sweep.size() == 20U);
  for (const row& r : sweep) {
    const auto [layer, match, saved] = exit_by(own, number(r, "confidence"));
    BOOST_TEST(number(r, "mean_exit_layer") == layer, boost::test_tools::tolerance(1e-12));
    BOOST_TEST(number(r, "match_rate") == match, boost::test_tools::tolerance(1e-12));
    BOOST_TEST(std::abs(number(r, "saved") - saved) < 1e-12);
  }
  for (const char* figure : {"early_exit_layers_logit.svg", "early_exit_sweep_logit.svg"})
    BOOST_TEST(fs::exists(out / "plots" / figure), figure);
}

BOOST_AUTO_TEST_CASE(confidences_that_are_given_take_the_place_of_the_sweep_and_others_are_refused) {
  const scratch_folder folder;
  const words command = {"run",        "early-exit", "--model",
                         demo_model(), "--data",     "early-exit=" + demo_data("prose.conllu").string(),
                         "--limit",    "3",          "--format",
                         "svg",        "--out",      (folder.path() / "run").string()};
  must_work(command + words{"--early-exit.confidence", "0.9", "--early-exit.confidence", "0.25"});
  const std::vector<row> sweep = table_rows(folder.path() / "run", "early_exit_sweep_logit.csv");
  BOOST_TEST_REQUIRE(sweep.size() == 2U);
  BOOST_TEST(sweep[0].at("confidence") == "0.25");
  BOOST_TEST(sweep[1].at("confidence") == "0.9");
  check_refused(command + words{"--fresh", "--early-exit.confidence", "1.5"}, status::usage, "confidence",
                "1.5");
  check_refused(command + words{"--fresh", "--early-exit.confidence", "0"}, status::usage, "confidence");
}

BOOST_AUTO_TEST_SUITE_END()
