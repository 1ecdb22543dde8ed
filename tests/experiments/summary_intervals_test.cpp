// SPDX-License-Identifier: Apache-2.0
// The intervals in the summaries of experiments: which prompts belong together, and what is compared in
// pairs.
#include "depthlens/abi/plugin.h"
#include "experiments/counts_file.hpp"
#include "experiments/fake_host.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Of the tests of pos and flips.
extern "C" const dlens_plugin* pos_entry(void);
extern "C" const dlens_plugin* flips_entry(void);

namespace {

using depthlens::record;
using depthlens::test::counts_file;
using depthlens::test::fake_host;
using strings = std::vector<std::string>;

record row(std::string prompt, std::string answer = {}) {
  record r;
  r.fields.emplace_back("prompt", std::move(prompt));
  if (!answer.empty()) r.fields.emplace_back("answer", std::move(answer));
  return r;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(summary_intervals)

BOOST_AUTO_TEST_CASE(
    two_sets_are_compared_in_pairs_and_prompts_that_never_get_there_count_as_the_last_layer) {
  fake_host host(pos_entry());
  host.add("DET", "prompt", {row("x", "the"), row("y", "the"), row("z", "the")});
  host.add("NOUN", "prompt", {row("x", "cat"), row("u", "cat"), row("v", "cat")});
  host.add("VERB", "prompt", {row("w", "sat")});
  host.model.top = {{"y", " the"}, {"z", " the"}, {"u", " cat"}, {"v", " cat"}, {"w", " sat"}};
  host.model.rank = [&](const std::string& text, std::int32_t, std::uint32_t layer) {
    if (text == "u" || text == "v") return 7U;
    return layer < (text == "y" ? 1U : 2U) ? 9U : 1U;
  };
  host.run();
  BOOST_TEST(host.parts("differences", {"category", "other", "k", "difference", "n_clusters"})[6] ==
             "DET|NOUN|1|-0.5|4");  // first layers 1 and 2, and the last, 2, where none is
  const strings compared = host.parts("differences", {"category", "other"});
  const strings low = host.column("differences", "low"), above = host.column("differences", "above_zero");
  for (std::size_t i = 0; i < compared.size(); ++i) {  // a single verb says nothing of others
    BOOST_TEST(low[i].empty() == (compared[i].find("VERB") != std::string::npos), compared[i]);
    BOOST_TEST(above[i].empty() == (compared[i].find("VERB") != std::string::npos), compared[i]);
  }
  const strings shares = host.parts("shares", {"category", "k", "layer", "share", "n", "n_clusters"});
  BOOST_TEST(shares[0] == "DET|1|0|0|2|2");
  BOOST_TEST(shares[1] == "DET|1|1|0.5|2|2");
  BOOST_TEST(shares[2] == "DET|1|2|1|2|2");
  // Of two prompts that share nothing: Wilson's interval.
  BOOST_TEST(host.column("shares", "low")[1] == "0.0945312");
  BOOST_TEST(host.column("shares", "high")[1] == "0.905469");
  BOOST_TEST(host.parts("earliest", {"category", "k", "survival_mean", "survival_median",
                                     "mean_first_low"})[0] == "DET|1|1.5|1.5|1");
  for (const std::string& line : host.parts("earliest", {"category", "k", "n", "never", "survival_mean"}))
    if (line.starts_with("NOUN|1|")) BOOST_TEST(line == "NOUN|1|0|2|2");
}

BOOST_AUTO_TEST_CASE(rates_have_intervals_over_the_texts_that_prompts_are_cut_from) {
  fake_host host(flips_entry());
  const counts_file counts(host.tokenizer, {"~"});
  host.options["token-counts"] = counts.path();
  host.n_layers = 1;
  const auto cut = [](std::string text, std::string whole) {
    record r = row(std::move(text));
    r.fields.emplace_back("text", std::move(whole));
    return r;
  };
  host.add("", "cut",
           {cut("on the", "on the mat"), cut("on", "on the mat"), cut("so", "so big"), cut("in", "in it")});
  host.model.top = {{"on the", " mat"}, {"on", " mat"}};
  host.run();
  BOOST_TEST(host.column("prompts", "cluster")[0] == host.column("prompts", "cluster")[1]);
  BOOST_TEST(host.column("prompts", "cluster")[1] != host.column("prompts", "cluster")[2]);
  // At layer 0 all four guess "~", two of them, of one text, will not say it; at layer 1 these have no such
  // guess.
  BOOST_TEST(host.parts("summary", {"layer", "bucket", "flipped", "total", "n_clusters"})[0] ==
             "0|top10|2|4|3");
  const double low = std::stod(host.column("summary", "low")[0]),
               high = std::stod(host.column("summary", "high")[0]);
  BOOST_TEST(low == 0);  // resamples without that text
  BOOST_TEST(high > 0.5);
  BOOST_TEST(host.column("summary", "n_clusters")[4] == "2");
  BOOST_TEST(host.column("summary", "low")[4] == "0");
  BOOST_TEST(host.column("summary", "low")[5] == "");  // nothing is of the next bucket
}

BOOST_AUTO_TEST_SUITE_END()
