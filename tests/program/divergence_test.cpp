// SPDX-License-Identifier: Apache-2.0
// plot DIR DIR... --kl: the KL between two models at each layer is what their states say, read out here
// token by token.
#include "program/tiny_runs.hpp"

#include "depthlens/files/safetensors.hpp"
#include "model/readout_reference.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstring>
#include <numeric>

BOOST_AUTO_TEST_SUITE(divergence_of_runs)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;

// log softmax of all tokens for each row of one layer's states.
std::vector<std::vector<long double>> logprobs(const model_files& model, const fs::path& states,
                                               const std::string& layer) {
  const safetensors_file file(states / "states-00001.safetensors");
  const readout_reference readout(model);
  std::vector<std::int32_t> tokens(model.arch().vocab_size);
  std::iota(tokens.begin(), tokens.end(), 0);
  std::vector<std::vector<long double>> out;
  for (const safetensors_tensor& t : file.tensors()) {
    if (t.view.name != layer) continue;
    for (std::uint64_t row = 0; row < t.view.shape[0]; ++row) {
      std::vector<float> h(t.view.shape[1]);
      std::memcpy(h.data(), t.view.data + row * h.size() * sizeof(float), h.size() * sizeof(float));
      std::vector<long double>& of = out.emplace_back();
      long double mass = 0;
      for (const reference_logit& z : readout.logits(std::vector<double>(h.begin(), h.end()), tokens))
        mass += std::exp(of.emplace_back(z.value));
      for (long double& z : of) z -= std::log(mass);
    }
  }
  return out;
}

double mean_kl(const std::vector<std::vector<long double>>& p,
               const std::vector<std::vector<long double>>& q) {
  BOOST_REQUIRE(p.size() == q.size());
  BOOST_REQUIRE(!p.empty());
  long double sum = 0;
  for (std::size_t row = 0; row < p.size(); ++row)
    for (std::size_t t = 0; t < p[row].size(); ++t) sum += std::exp(p[row][t]) * (p[row][t] - q[row][t]);
  return static_cast<double>(sum / static_cast<long double>(p.size()));
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_kl_of_each_layer_is_that_of_the_states_both_ways) {
  for (const std::string model : {"gpt2", "gemma2"}) {  // the latter caps its logits
    const tiny_runs runs(model);
    const words states = {"--save-states", "all"};
    const fs::path a = runs.facts(model, "a", states),
                   b = runs.facts(model, "b", states + words{"--precision", "bf16"}), out = runs.path("both");
    const outcome o = must_work({"plot", a, b, "--out", out, "--format", "svg", "--kl"});
    BOOST_TEST(o.out.find("plots/divergence_facts.svg\n") != std::string::npos, o.out);
    BOOST_TEST(fs::exists(out / "plots/divergence_facts.svg"));
    const model_files files = model_files::open(tiny_runs::model(model));
    std::size_t forward = 0;
    const std::vector<table_row> lines = table_rows(out / "divergence.csv");
    for (const table_row& line : lines) {
      const bool ahead = line.at("run") == "f32";
      forward += ahead ? 1 : 0;
      BOOST_TEST(line.at("pair") == (ahead ? "f32 || bf16" : "bf16 || f32"));
      const auto mine = logprobs(files, (ahead ? a : b) / "states/facts", "layer." + line.at("layer")),
                 others = logprobs(files, (ahead ? b : a) / "states/facts", "layer." + line.at("layer"));
      const double kl = std::stod(line.at("kl"));
      BOOST_TEST(std::abs(kl - mean_kl(mine, others)) < 1e-12 + 1e-8 * kl, line.at("layer"));
      BOOST_TEST(std::stoul(line.at("n")) == mine.size());
      BOOST_TEST(std::stod(line.at("low")) <= kl + 1e-7);
      BOOST_TEST(std::stod(line.at("high")) >= kl - 1e-7);
      BOOST_TEST(std::stoul(line.at("n_clusters")) < mine.size());  // France is the subject of two facts
    }
    BOOST_TEST(forward == files.arch().n_layers + 1U);
    BOOST_TEST(lines.size() == 2 * forward);
    BOOST_TEST(std::stod(lines.back().at("kl")) > 0);
  }
}

BOOST_AUTO_TEST_CASE(runs_of_one_model_in_one_precision_say_the_same_at_every_layer) {
  const tiny_runs runs("gpt2");
  const fs::path a = runs.facts("gpt2", "a", {"--save-states", "0,1"}),
                 b = runs.facts("gpt2", "b", {"--save-states", "1,2", "--threads", "1"}),
                 out = runs.path("both");
  must_work({"plot", a, b, "--out", out, "--format", "svg", "--kl"});
  const std::vector<table_row> lines = table_rows(out / "divergence.csv");
  BOOST_REQUIRE(lines.size() == 2U);  // layer 1 alone is in both
  for (const table_row& line : lines) {
    BOOST_TEST(line.at("layer") == "1");
    BOOST_TEST(std::stod(line.at("kl")) == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_prompt_that_is_in_a_table_for_each_category_is_compared_at_all_its_positions) {
  const tiny_runs runs("gpt2");
  const words states = {"--save-states", "1"};
  const fs::path a = runs.pos("gpt2", "a", states),
                 b = runs.pos("gpt2", "b", states + words{"--precision", "bf16"}), out = runs.path("both");
  const outcome o = must_work({"plot", a, b, "--out", out, "--format", "svg", "--kl"});
  BOOST_TEST(o.err.find("not computed") == std::string::npos, o.err);
  const std::size_t places = table_rows(a / "states/pos/index.csv").size();
  BOOST_TEST(places > 12U);
  const std::vector<table_row> lines = table_rows(out / "divergence.csv");
  BOOST_REQUIRE(lines.size() == 2U);
  for (const table_row& line : lines) {
    BOOST_TEST(std::stoul(line.at("n")) == places);
    BOOST_TEST(line.at("n_clusters") == "12");
    BOOST_TEST(std::stod(line.at("kl")) > 0);
  }
}

BOOST_AUTO_TEST_CASE(runs_without_states_and_models_that_changed_are_named) {
  const tiny_runs runs("gpt2");
  const fs::path model = runs.path("model"), out = runs.path("both");
  fs::copy(tiny_runs::model("gpt2"), model, fs::copy_options::recursive);
  const fs::path a = runs.facts("gpt2", "a", {"--save-states", "all"}), b = runs.facts("gpt2", "b"),
                 c = runs.facts_of(model, "c", {"--save-states", "all", "--precision", "bf16"});
  const words command = {"plot", a, "--out", out, "--format", "svg", "--kl"};
  outcome o = depthlens_says(command + words{b});
  BOOST_TEST(o.code == 66);
  BOOST_TEST(o.err.find("has no states of facts; --kl needs those of all runs") != std::string::npos, o.err);
  BOOST_TEST(!fs::exists(out));
  std::ofstream(model / "config.json", std::ios::app) << "\n";
  o = depthlens_says(command + words{c});
  BOOST_TEST(o.code == 78);
  BOOST_TEST(o.err.find("is not the model that") != std::string::npos, o.err);
  fs::remove_all(model);
  o = depthlens_says(command + words{c});
  BOOST_TEST(o.code == 66);
  BOOST_TEST(o.err.find("its model is not at") != std::string::npos, o.err);
  o = depthlens_says({"plot", a, "--out", out, "--kl"});
  BOOST_TEST(o.code == 64);
}

BOOST_AUTO_TEST_CASE(places_behind_other_texts_are_not_compared_and_altered_files_are_named) {
  const tiny_runs runs("gpt2");
  const words states = {"--save-states", "last"};
  const fs::path a = runs.facts("gpt2", "a", states), b = runs.facts("gpt2", "b", states),
                 out = runs.path("both");
  const fs::path prompts = b / "data/prompts_facts.csv";
  std::string text = read_bytes(prompts);
  const std::size_t line = text.find("\n0,"), ids = text.find("\",\"", line) + 3;
  text[ids] = text[ids] == '9' ? '8' : '9';  // another first token of the first prompt
  std::ofstream(prompts) << text;
  const outcome o = must_work({"plot", a, b, "--out", out, "--format", "svg", "--kl"});
  BOOST_TEST(o.err.find("data/prompts_facts.csv") != std::string::npos, o.err);
  std::size_t places = 0, of_others = 0;
  for (const table_row& row : table_rows(a / "states/facts/index.csv")) {
    ++places;
    of_others += row.at("prompt_id") != "0" ? 1 : 0;
  }
  BOOST_TEST(of_others < places);
  for (const table_row& row : table_rows(out / "divergence.csv"))
    BOOST_TEST(std::stoul(row.at("n")) == of_others);

  std::string states_of_b = read_bytes(b / "states/facts/states-00001.safetensors");
  states_of_b.back() ^= 1;
  std::ofstream(b / "states/facts/states-00001.safetensors", std::ios::binary) << states_of_b;
  const outcome altered = must_work({"plot", a, b, "--out", out, "--format", "svg", "--kl"});
  BOOST_TEST(altered.err.find("states/facts/states-00001.safetensors") != std::string::npos, altered.err);
}

BOOST_AUTO_TEST_SUITE_END()
