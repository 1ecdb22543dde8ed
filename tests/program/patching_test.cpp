// SPDX-License-Identifier: Apache-2.0
// The experiment patching, and trace --patch-from, on the demo model: what the controls must say, the same
// tables however the work is divided, what trace says of the same pair, and wrong use.
#include "program/demo.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <map>
#include <set>
#include <string>
#include <vector>

using depthlens::status;
using namespace depthlens::test;
namespace fs = std::filesystem;
namespace json = boost::json;

BOOST_AUTO_TEST_SUITE(patching)

namespace {

// Rows of two tasks.
class two_tasks {
 public:
  explicit two_tasks(std::size_t n)
      : source(folder_.write("source.json", json::serialize(demo_rows("sentiment.json", n)))),
        target(folder_.write("target.json", json::serialize(demo_rows("topic.json", n)))) {}

  words command(const fs::path& out, const words& more = {}) const {
    return words{"run",      "patching",
                 "--model",  demo_model(),
                 "--data",   "patching.source=" + source,
                 "--data",   "patching.target=" + target,
                 "--format", "svg",
                 "--out",    out.string()} +
           more;
  }

 private:
  scratch_folder folder_;

 public:
  const std::string source, target;
};

using row = table_row;

}  // namespace

BOOST_AUTO_TEST_CASE(controls_and_patches_are_what_they_must_be_at_the_first_and_at_every_block) {
  const two_tasks data(3);
  const scratch_folder folder;
  const fs::path out = folder.path() / "run";
  must_work(data.command(out));
  std::map<std::string, std::size_t> n;
  std::map<std::string, std::set<std::string>> own;  // what a target's own state gives, at every block
  for (const row& r : table_rows(out, "patching.csv")) {
    ++n[r.at("run")];
    if (r.at("run") != "self") continue;
    BOOST_TEST(std::stod(r.at("kl")) < 1e-6);
    BOOST_TEST(r.at("guess") == r.at("target"));
    BOOST_TEST(r.at("target_rank") == "1");
    own[r.at("prompt_id")].insert(r.at("target_logprob") + " " + r.at("entropy"));
  }
  for (const auto& [prompt, outputs] : own) BOOST_TEST(outputs.size() == 1U, "prompt " << prompt);
  constexpr std::size_t n_layers = 30, n_pairs = 3;
  for (const char* run : {"patch", "self", "random", "position", "mean"})
    BOOST_TEST(n[run] == n_layers * n_pairs, run);
  BOOST_TEST(n.size() == 5U);
  // At the last block hardly anything but the state itself decides; at the first one hardly anything does.
  double first = -1, last = -1;
  for (const row& r : table_rows(out, "patching_summary.csv")) {
    if (r.at("run") != "patch") continue;
    BOOST_TEST(r.at("n") == "3");
    if (r.at("layer") == "0") first = std::stod(r.at("source_top"));
    if (r.at("layer") == "29") last = std::stod(r.at("source_top"));
  }
  BOOST_TEST(first < 1.0);
  BOOST_TEST(last > 0.5);
  for (const char* figure : {"patching_options", "patching_effect"})
    BOOST_TEST(fs::exists(out / "plots" / (std::string(figure) + ".svg")), figure);
}

BOOST_AUTO_TEST_CASE(tables_are_the_same_for_threads_packs_windows_and_one_target_more) {
  const two_tasks data(3);
  const scratch_folder folder;
  must_work(data.command(folder.path() / "one", {"--threads", "1", "--limit", "3"}));
  const auto wanted = tables_of(folder.path() / "one");
  must_work(data.command(folder.path() / "two", {"--threads", "2", "--pack-tokens", "100", "--window", "1"}));
  check_same_tables(tables_of(folder.path() / "two"), wanted);
  must_work(data.command(folder.path() / "more", {"--limit", "1"}));
  must_work(data.command(folder.path() / "more", {"--limit", "3"}));
  check_same_tables(tables_of(folder.path() / "more"), wanted);
}

BOOST_AUTO_TEST_CASE(every_position_is_patched_where_that_is_asked_for) {
  const scratch_folder folder;
  const std::string source = folder.write("s.json", R"([{"prompt": "The capital of France is"}])"),
                    target = folder.write("t.json", R"([{"prompt": "Two and two make"}])");
  must_work({"run", "patching", "--model", demo_model(), "--data", "patching.source=" + source, "--data",
             "patching.target=" + target, "--patching.positions", "all", "--format", "svg", "--out",
             (folder.path() / "run").string()});
  std::map<std::string, std::size_t> n;
  for (const row& r : table_rows(folder.path() / "run", "patching.csv")) ++n[r.at("position")];
  BOOST_TEST(n.size() == 4U);
  for (const auto& [position, rows] : n) BOOST_TEST(rows == 30U, position);
  BOOST_TEST(fs::exists(folder.path() / "run/plots/patching_positions.svg"));
}

BOOST_AUTO_TEST_CASE(trace_patches_the_pair_as_the_experiment_does) {
  const scratch_folder folder;
  const std::string s = "The capital of France is", t = "Two and two make";
  const std::string source =
                        folder.write("s.json", json::serialize(json::array{json::object{{"prompt", s}}})),
                    target =
                        folder.write("t.json", json::serialize(json::array{json::object{{"prompt", t}}}));
  must_work({"run", "patching", "--model", demo_model(), "--data", "patching.source=" + source, "--data",
             "patching.target=" + target, "--format", "svg", "--out", (folder.path() / "run").string()});
  const outcome traced =
      must_work({"trace", "--model", demo_model(), "--prompt", t, "--patch-from", s, "--json"});
  const json::value said = json::parse(traced.out);
  const json::array& layers = said.at("patch").at("layers").as_array();
  BOOST_TEST(layers.size() == 30U);
  std::size_t compared = 0;
  for (const row& r : table_rows(folder.path() / "run", "patching.csv")) {
    if (r.at("run") != "patch") continue;
    const json::value& layer = layers.at(std::stoul(r.at("layer")));
    BOOST_TEST(std::to_string(layer.at("top").at(0).as_int64()) == r.at("guess"));
    BOOST_TEST(std::stod(r.at("kl")) == layer.at("kl_from_target").to_number<double>());
    BOOST_TEST(std::stod(r.at("source_logprob")) == layer.at("logprob_source_top").to_number<double>());
    ++compared;
  }
  BOOST_TEST(compared == 30U);
}

BOOST_AUTO_TEST_CASE(wrong_use_is_refused_by_name) {
  const scratch_folder folder;
  const two_tasks data(2);
  const std::string out = (folder.path() / "run").string(), empty = folder.write("e.json", "[]");
  const words model = {"--model", demo_model(), "--out", out};
  check_refused(words{"run", "patching", "--data", "patching.source=" + data.source} + model, status::usage,
                "patching.target");
  check_refused(words{"run", "patching", "--data", "patching=" + data.source} + model, status::usage,
                "patching");
  check_refused(words{"run", "patching", "--data", "patching.source=" + data.source, "--data",
                      "patching.target=" + data.target, "--patching.sources", "-1"} +
                    model,
                status::usage, "sources");
  check_refused({"trace", "--model", demo_model(), "--prompt", "a", "--patch-from", ""}, status::usage,
                "--patch-from");
  check_no_tables(out);
}

BOOST_AUTO_TEST_SUITE_END()
