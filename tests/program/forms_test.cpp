// SPDX-License-Identifier: Apache-2.0
// A model of each form of block, as a folder: runs of it have the same tables byte for byte, whatever
// threads, windows, packs and sharing they are given, and when they are made in two steps; and what its
// experts did is told by trace and run.
#include "program/process.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(models_of_every_form)

namespace {

using namespace depthlens;
using namespace depthlens::test;
using tables = std::map<std::string, std::string>;

// Experts, sinks with clamped experts, delta rules, low rank with groups, shared keys and values, ALiBi,
// norms behind each part.
const words forms = {"mixtral", "gpt_oss", "qwen3_5", "deepseek_v3", "gemma4", "bloom", "opt-350m"};
const words forms_with_experts = {"mixtral", "gpt_oss", "deepseek_v3"};

std::string folder_of(const std::string& form) { return source_tree() / "tests/golden/models" / form; }

// Prompts some of which begin alike.
const words prompts = {"The capital of France",
                       "The capital of France is",
                       "The capital of Spain is not",
                       "the sea was calm and the ship",
                       "the sea was calm",
                       "one two three four five six seven",
                       "one two three",
                       "The",
                       "a tree in the garden of the old house near the river"};

// What flips needs of a model, the first n prompts.
class flips_data {
 public:
  explicit flips_data(const std::string& form, std::size_t n = prompts.size()) : model_(folder_of(form)) {
    boost::json::array rows;
    std::string text;
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      text += prompts[i] + "\n";
      if (i < n) rows.push_back(boost::json::object{{"prompt", prompts[i]}});
    }
    rows_ = folder_.write("rows.json", boost::json::serialize(rows));
    counts_ = folder_.path() / "counts.json";
    must_work(
        {"tokens", "count", "--model", model_, "--text", folder_.write("text.txt", text), "--out", counts_});
  }
  words run(const std::filesystem::path& out, const words& more) const {
    return words{"run",
                 "flips",
                 "--model",
                 model_,
                 "--backend",
                 "cpu",
                 "--data",
                 "flips=" + rows_,
                 "--token-counts",
                 counts_,
                 "--flips.positions",
                 "all",
                 "--format",
                 "svg",
                 "--out",
                 out} +
           more;
  }
  tables tables_with(const words& more) const {
    const scratch_folder folder;
    must_work(run(folder.path() / "run", more));
    return tables_of(folder.path() / "run");
  }

 private:
  scratch_folder folder_;
  std::string model_, rows_, counts_;
};

// The fields of a row without its quotes; the tables of experts hold none within.
words fields(const std::string& line) {
  words out;
  std::istringstream parts(line);
  for (std::string f; std::getline(parts, f, ',');) {
    f.erase(std::remove(f.begin(), f.end(), '"'), f.end());
    out.push_back(f);
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(tables_do_not_depend_on_threads_windows_packs_and_sharing) {
  for (const std::string& form : forms) {
    BOOST_TEST_CONTEXT(form) {
      const flips_data data(form);
      const tables want = data.tables_with({"--threads", "1"});
      BOOST_TEST_REQUIRE(want.size() >= 3u);
      BOOST_CHECK(data.tables_with({"--threads", "2", "--pack-tokens", "7", "--window", "3"}) == want);
      BOOST_CHECK(data.tables_with({"--threads", "2", "--sharing", "off"}) == want);
    }
  }
}

BOOST_AUTO_TEST_CASE(tables_of_a_run_in_two_steps_are_those_of_one) {
  for (const std::string& form : forms) {
    BOOST_TEST_CONTEXT(form) {
      const flips_data data(form);
      const scratch_folder folder;
      must_work(data.run(folder.path() / "run", {"--limit", "4"}));
      must_work(data.run(folder.path() / "run", {}));
      BOOST_CHECK(tables_of(folder.path() / "run") == data.tables_with({}));
    }
  }
}

BOOST_AUTO_TEST_CASE(tables_of_experts_do_not_depend_on_packs_and_sum_up_to_the_use_of_each) {
  for (const std::string& form : forms_with_experts) {
    BOOST_TEST_CONTEXT(form) {
      const flips_data data(form);
      const tables want = data.tables_with({"--experts", "--threads", "1"});
      BOOST_CHECK(data.tables_with({"--experts", "--pack-tokens", "5", "--sharing", "off"}) == want);
      const words rows = lines_of(want.at("experts_flips.csv")),
                  use = lines_of(want.at("expert_use_flips.csv"));
      const words names = fields(rows.at(0));
      const auto n_used = std::count_if(names.begin(), names.end(),
                                        [](const std::string& name) { return name.starts_with("expert_"); });
      BOOST_TEST_REQUIRE(n_used > 0);
      std::map<std::pair<std::string, std::string>, std::int64_t> chosen;  // block, expert
      std::set<std::string> prompts_seen;
      for (std::size_t i = 1; i < rows.size(); ++i) {
        const words f = fields(rows[i]);
        prompts_seen.insert(f.at(1));
        BOOST_TEST(std::stod(f.at(6)) >= 0);
        for (std::int64_t u = 0; u < n_used; ++u) ++chosen[{f.at(5), f.at(7 + static_cast<std::size_t>(u))}];
      }
      BOOST_TEST(prompts_seen.size() == prompts.size());
      std::int64_t all = 0;
      for (std::size_t i = 1; i < use.size(); ++i) {
        const words f = fields(use[i]);
        const auto at = chosen.find({f.at(0), f.at(1)});
        BOOST_TEST(std::stoll(f.at(2)) == (at == chosen.end() ? 0 : at->second));
        all += std::stoll(f.at(2));
      }
      BOOST_TEST(all == static_cast<std::int64_t>(rows.size() - 1) * n_used);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_run_with_tables_of_experts_is_drawn_and_goes_on_with_them_alone) {
  const flips_data data("mixtral");
  const scratch_folder folder;
  const auto run = folder.path() / "run";
  must_work(data.run(run, {"--experts", "--limit", "3"}));
  BOOST_TEST(std::filesystem::exists(run / "plots/expert_use_flips.svg"));
  const outcome other = depthlens_says(data.run(run, {}));
  BOOST_TEST(other.code == 78);
  BOOST_TEST(other.err.find("experts") != std::string::npos);
  must_work(data.run(run, {"--experts"}));
  BOOST_CHECK(tables_of(run) == data.tables_with({"--experts"}));
}

BOOST_AUTO_TEST_CASE(trace_says_which_experts_were_chosen) {
  const words trace = {"trace", "--model", folder_of("mixtral"), "--prompt",  prompts[0],
                       "--top", "0",       "--experts",          "--backend", "cpu"};
  const boost::json::object said = boost::json::parse(must_work(trace + words{"--json"}).out).as_object();
  const boost::json::object& at = said.at("experts").as_array().at(0).as_object();
  for (const boost::json::value& block : at.at("blocks").as_array()) {
    const boost::json::array& weights = block.at("weights").as_array();
    double sum = 0;
    for (const boost::json::value& w : weights) sum += w.to_number<double>();
    BOOST_TEST(std::abs(sum - 1) < 1e-6);  // Mixtral's are normalised
    BOOST_TEST(block.at("experts").as_array().size() == weights.size());
  }
  BOOST_TEST(must_work(trace).out.find("router entropy") != std::string::npos);
}

// The cause is looked for in all weights, those that are held as pairs of MXFP4 too.
BOOST_AUTO_TEST_CASE(a_weight_that_is_no_number_is_named_beside_mxfp4) {
  const scratch_folder folder;
  const auto copy = folder.path() / "model";
  std::filesystem::copy(folder_of("gpt_oss"), copy);
  std::string file = read_bytes(copy / "model.safetensors");
  std::uint64_t header = 0;
  std::memcpy(&header, file.data(), sizeof header);
  const boost::json::object all = boost::json::parse(file.substr(8, header)).as_object();
  const boost::json::array& at = all.at("model.layers.0.self_attn.sinks").at("data_offsets").as_array();
  for (std::int64_t i = at[0].as_int64(); i < at[1].as_int64(); ++i)
    file[8 + header + static_cast<std::size_t>(i)] = '\xff';
  folder.write("model/model.safetensors", file);
  const outcome said = depthlens_says({"trace", "--model", copy, "--prompt", "The", "--backend", "cpu"});
  BOOST_TEST(said.code == 65);
  BOOST_TEST(said.err.find("self_attn.sinks") != std::string::npos, said.err);
}

BOOST_AUTO_TEST_CASE(a_model_without_experts_is_told_so) {
  const outcome said =
      depthlens_says({"trace", "--model", folder_of("bloom"), "--prompt", "The", "--experts"});
  BOOST_TEST(said.code == 64);
  BOOST_TEST(said.err.find("has no experts") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
