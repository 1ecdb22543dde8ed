// SPDX-License-Identifier: Apache-2.0
// plot DIR DIR...: runs of one model in two precisions and of different models compared, and runs that
// cannot be.
#include "program/tiny_runs.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(runs_compared)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;

boost::json::object description(const fs::path& out) {
  return boost::json::parse(read_bytes(out / "comparison.json")).as_object();
}

std::vector<table_row> differences(const fs::path& out) { return table_rows(out / "differences.csv"); }

table_row line_of(const fs::path& out, const std::string& table, const std::string& measure,
                  const std::string& layer) {
  for (const table_row& r : differences(out))
    if (r.at("table") == table && r.at("measure") == measure && r.at("layer") == layer) return r;
  BOOST_FAIL("no line of " << table << ", " << measure << ", layer " << layer);
  return {};
}

// Bytes of every file, by its path below.
std::map<std::string, std::string> all_files(const fs::path& folder) {
  std::map<std::string, std::string> out;
  for (const auto& item : fs::recursive_directory_iterator(folder))
    if (item.is_regular_file()) out[fs::relative(item.path(), folder)] = read_bytes(item.path());
  return out;
}

// Of a column at one layer: the mean over the prompts.
double mean_at(const fs::path& run, const std::string& table, const std::string& column,
               const std::string& layer) {
  double sum = 0;
  std::size_t n = 0;
  for (const table_row& r : table_rows(run, table))
    if (r.at("layer") == layer) sum += std::stod(r.at(column)), ++n;
  BOOST_REQUIRE(n > 0U);
  return sum / static_cast<double>(n);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(two_precisions_of_a_model_are_one_figure_and_their_differences_a_table) {
  const tiny_runs runs("gpt2");
  const fs::path a = runs.facts("gpt2", "a"), b = runs.facts("gpt2", "b", {"--precision", "bf16"}),
                 out = runs.path("both");
  const words command = {"plot", a, b, "--out", out, "--format", "svg"};
  const outcome o = must_work(command);
  BOOST_TEST(contains(o.err, "f32, bf16: the runs differ in key.precision\n"), o.err);
  const boost::json::object about = description(out);
  BOOST_TEST(about.at("runs").at(1).at("label") == "bf16");
  BOOST_TEST((about.at("differ_in") == boost::json::parse(R"({"key.precision": ["f32", "bf16"]})")));
  BOOST_TEST(about.at("remarks").as_array().empty());
  for (const auto& figure : about.at("figures").as_object()) {
    const std::string stem = figure.key();
    for (const char* end : {".svg", ".gp", ".dat"})
      BOOST_TEST(fs::exists(out / "plots" / (stem + end)), stem);
    BOOST_TEST(contains(o.out, "plots/" + stem + ".svg\n"));
  }
  BOOST_TEST(about.at("figures").as_object().contains("layers_facts_logit"));

  const std::string table = "facts_logit.csv";
  const table_row entropy = line_of(out, "facts", "entropy", "1");
  BOOST_TEST(std::stod(entropy.at("difference")) ==
                 mean_at(a, table, "entropy", "1") - mean_at(b, table, "entropy", "1"),
             boost::test_tools::tolerance(1e-9));
  BOOST_TEST(entropy.at("run") == "f32");
  BOOST_TEST(entropy.at("other_run") == "bf16");
  BOOST_TEST(std::stod(entropy.at("low")) <= std::stod(entropy.at("difference")));
  BOOST_TEST(std::stod(entropy.at("high")) >= std::stod(entropy.at("difference")));
  double above = std::stod(entropy.at("above_zero"));
  BOOST_TEST((above >= 0 && above <= 1));
  BOOST_TEST(std::stoi(entropy.at("n_clusters")) < std::stoi(entropy.at("n")));  // France comes twice
  double others = 0, n = 0;
  const auto rows = table_rows(a, table), rows_of_b = table_rows(b, table);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].at("layer") != "1") continue;
    others += rows[i].at("guess") != rows_of_b.at(i).at("guess");
    ++n;
  }
  BOOST_TEST(std::stod(line_of(out, "facts", "guess_differs", "1").at("difference")) == others / n);
  BOOST_TEST(line_of(out, "facts", "guess_differs", "1").at("above_zero") == "");

  const auto before = all_files(out);
  must_work(command);
  BOOST_TEST((all_files(out) == before));
}

BOOST_AUTO_TEST_CASE(models_of_different_depth_share_an_axis_of_depth) {
  const tiny_runs runs("gemma3");
  const words lines = {"--baseline", "true"};
  const fs::path a = runs.flips("gemma3", "a", lines), b = runs.flips("gemma4", "b", lines),
                 out = runs.path("both");
  const outcome o = must_work({"plot", a, b, "--out", out, "--format", "svg"});
  BOOST_TEST(contains(o.err, "only their outputs are compared"), o.err);
  const boost::json::object about = description(out);
  BOOST_TEST(about.at("runs").at(0).at("label") == "gemma3");
  BOOST_TEST(about.at("runs").at(1).at("label") == "gemma4");
  BOOST_TEST(about.at("figures").at("decision_flips_logit").at("layout") == "overlay");
  const std::string script = read_bytes(out / "plots/decision_flips_logit.gp");
  BOOST_TEST(contains(script, "set xlabel 'Depth (layer / number of blocks)'"));
  BOOST_TEST(contains(script, "set xrange [0:1]"));
  BOOST_TEST(contains(script, "'gemma3 and gemma4'"));
  const auto rows = differences(out);
  BOOST_TEST_REQUIRE(rows.size() == 1U);
  BOOST_TEST(rows[0].at("measure") == "final_differs");
  BOOST_TEST(rows[0].at("layer") == "");

  must_work({"plot", a, b, "--out", out, "--format", "svg", "--layout", "side", "--label", "three blocks",
             "--label", "four, \"blocks\""});
  BOOST_TEST(description(out).at("figures").at("decision_flips_logit").at("layout") == "side");
  BOOST_TEST(contains(read_bytes(out / "plots/decision_flips_logit.gp"), "'three blocks'"));
  BOOST_TEST(differences(out).at(0).at("other_run") == "four, \"blocks\"");
}

BOOST_AUTO_TEST_CASE(rows_of_models_with_other_tokenizers_are_not_joined) {
  const tiny_runs runs("gpt2");
  const fs::path a = runs.facts("gpt2", "a"), b = runs.facts("llama", "b"), out = runs.path("both");
  const outcome o = must_work({"plot", a, b, "--out", out, "--format", "svg"});
  BOOST_TEST(contains(o.err, "different tokenizers"), o.err);
  BOOST_TEST(differences(out).empty());
  BOOST_TEST(fs::exists(out / "plots/layers_facts_logit.svg"));
}

BOOST_AUTO_TEST_CASE(runs_without_a_common_lens_are_compared_across_lenses) {
  const tiny_runs runs("gpt2");
  const fs::path a = runs.facts("gpt2", "a"), b = runs.facts("gpt2", "b", {"--lens", "other:logit"}),
                 out = runs.path("both");
  must_work({"plot", a, b, "--out", out, "--format", "svg"});
  const boost::json::object about = description(out);
  BOOST_TEST((about.at("figures").at("layers_facts_logit").at("lenses") ==
              boost::json::parse(R"(["logit", "other"])")));
  BOOST_TEST(about.at("runs").at(1).at("label") == "other");
  const table_row row = line_of(out, "facts", "entropy", "1");
  BOOST_TEST(row.at("lens") == "logit");
  BOOST_TEST(row.at("other_lens") == "other");
  BOOST_TEST(std::stod(row.at("difference")) == 0);
}

BOOST_AUTO_TEST_CASE(lenses_and_controls_of_one_run_are_compared_over_its_own_prompts) {
  const tiny_runs runs("gpt2");
  const fs::path a = runs.facts("gpt2", "a", {"--lens", "logit", "--lens", "other:logit", "--null", "zero"}),
                 out = runs.path("alone");
  const outcome o = must_work({"plot", a, "--out", out, "--format", "svg", "--titles", "off"});
  BOOST_TEST(contains(o.out, (out / "differences.csv").string()), o.out);
  std::set<std::string> pairs;
  for (const table_row& r : differences(out)) {
    pairs.insert(r.at("lens") + " " + r.at("other_lens"));
    BOOST_TEST(r.at("run") == r.at("other_run"));
    if (r.at("other_lens") == "other" && r.at("lens") == "logit" && !r.at("difference").empty())
      BOOST_TEST(std::stod(r.at("difference")) == 0);
  }
  BOOST_TEST(pairs.contains("logit other"));
  BOOST_TEST(pairs.size() == 6U);  // of two lenses and their controls
  runs.facts("gpt2", "single");
  must_work({"plot", runs.path("single"), "--out", runs.path("drawn"), "--format", "svg"});
  BOOST_TEST(!fs::exists(runs.path("drawn") / "differences.csv"));
}

BOOST_AUTO_TEST_CASE(other_data_and_other_options_are_refused_with_their_fields) {
  const tiny_runs runs("gpt2");
  const fs::path a = runs.facts("gpt2", "a"), out = runs.path("both");
  const auto refused = [&](const std::string& other, const std::string& field) {
    check_refused({"plot", a, runs.path(other), "--out", out}, status::config, a.string(),
                  runs.path(other).string(), field);
    BOOST_TEST(!fs::exists(out));
  };
  runs.facts("gpt2", "shorter", {"--limit", "2"});
  refused("shorter", "data.facts.limit: 5, 2");
  runs.facts("gpt2", "one", {"--facts.tokens", "1"});
  refused("one", "key.studies.facts.options.tokens: 3, 1");
  runs.facts("gpt2", "gold", {"--target", "gold"});
  refused("gold", "key.target: final, gold");
  runs.flips("gpt2", "flips");
  refused("flips", "no experiment in common");
  runs.facts("gpt2", "published", {"--seed-compat"});
  refused("published", "key.mode: default, seed-compat");
}

BOOST_AUTO_TEST_CASE(folders_that_cannot_be_compared_are_refused) {
  const tiny_runs runs("gpt2");
  const fs::path a = runs.facts("gpt2", "a"), b = runs.facts("gpt2", "b", {"--precision", "bf16"});
  const std::string out = runs.path("both");
  check_refused({"plot", a, b}, status::usage, "--out");
  check_refused({"plot", a, "--out", a / "plots"}, status::usage, "lies in");
  check_refused({"plot", a, "--out", b}, status::config, "folder of a run");
  check_refused({"plot", a, "--layout", "side"}, status::usage, "--layout", "several runs");
  check_refused({"plot", a, b, "--out", out, "--layout", "around"}, status::usage, "around");
  check_refused({"plot", a, a / "../a", "--out", out}, status::usage, "given twice");
  check_refused({"plot", a, runs.path("none"), "--out", out}, status::no_input, "none");
  check_refused({"plot", a, b, "--out", out, "--label", "x"}, status::usage, "--label");
  check_refused({"plot", a, b, "--out", out, "--label", "x", "--label", "x"}, status::usage, "alike");
  check_refused({"plot", a, b, "--out", b}, status::usage, "is read");
  check_refused({"plot", a, b, "--out", a / "plots/both"}, status::usage, "lies in");
  const fs::path c = runs.facts("gpt2", "c");
  check_refused({"plot", a, b, "--out", c}, status::config, "folder of a run");
  boost::json::object manifest = manifest_of(c);
  manifest.erase("figures");
  std::ofstream(c / "run.json") << boost::json::serialize(manifest);
  check_refused({"plot", a, c, "--out", out}, status::no_input, c.string(), "did not finish");
  fs::remove(b / "data/facts_logit.csv");
  check_refused({"plot", a, b, "--out", out}, status::no_input, "facts_logit.csv");
  BOOST_TEST(!fs::exists(fs::path(out) / "comparison.json"));
}

BOOST_AUTO_TEST_CASE(figures_are_not_drawn_into_the_folder_of_another_run) {
  const tiny_runs runs("gpt2");
  const fs::path a = runs.facts("gpt2", "a"), b = runs.facts("gpt2", "b", {"--precision", "bf16"});
  const fs::path other = runs.facts("gpt2", "other");
  const std::string before = read_bytes(other / "plots/layers_facts_logit.svg");
  for (const char* part : {"plots", "plots/", "plots/new/one", "figures"}) {
    check_refused({"plot", a, "--out", other / part}, status::config, "lies in", "folder of a run");
    check_refused({"plot", a, b, "--out", other / part}, status::config, "lies in", "folder of a run");
  }
  BOOST_TEST((read_bytes(other / "plots/layers_facts_logit.svg") == before));
  BOOST_TEST(!fs::exists(other / "figures"));
}

BOOST_AUTO_TEST_SUITE_END()
