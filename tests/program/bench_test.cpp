// SPDX-License-Identifier: Apache-2.0
// depthlens bench on a tiny model: what it states, that its figures agree with each other and with the work
// counted by hand, and what it refuses. How long anything took is never judged.
#include "program/tiny_folder.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <string>

BOOST_AUTO_TEST_SUITE(bench)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace json = boost::json;

json::object measured(const words& arguments) {
  const outcome o = must_work(words{"bench", "--json"} + arguments);
  BOOST_TEST(lines_of(o.out).size() == 1U);
  return json::parse(o.out).as_object();
}

double number(const json::object& o, const char* key) { return o.at(key).to_number<double>(); }
double number(const json::object& o, const char* part, const char* key) {
  return number(o.at(part).as_object(), key);
}

void check_agreement(const json::object& o) {
  const double forward = number(o, "seconds", "forward"), tokenise = number(o, "seconds", "tokenise");
  BOOST_TEST(forward > 0);
  BOOST_TEST(number(o, "prompts_per_s") * (forward + tokenise) == number(o, "prompts"),
             boost::test_tools::tolerance(1e-9));
  BOOST_TEST(number(o, "tokens_per_s") * (forward + tokenise) == number(o, "tokens_given"),
             boost::test_tools::tolerance(1e-9));
  BOOST_TEST(number(o, "distinct_prefixes") <= number(o, "tokens_given"));
  BOOST_TEST(number(o, "distinct_prefixes") <= number(o, "tokens_computed"));
  BOOST_TEST(number(o, "flop", "useful") ==
             number(o, "flop", "useful_blocks") + number(o, "flop", "useful_readout"));
  BOOST_TEST(number(o, "flop", "useful") <= number(o, "flop", "executed"));
  BOOST_TEST(number(o, "gflop_per_s", "useful") * forward * 1e9 == number(o, "flop", "useful"),
             boost::test_tools::tolerance(1e-9));
  const auto& rates = o.at("gflop_per_s").as_object();
  BOOST_TEST(number(rates, "plain_products", "f32") > 0);
  BOOST_TEST(number(rates, "share") * number(rates, "plain_products", "f32") == number(rates, "useful"),
             boost::test_tools::tolerance(1e-9));
  BOOST_TEST(number(o, "thread_seconds", "products") <=
             number(o, "thread_seconds", "blocks") + number(o, "thread_seconds", "readout"));
  BOOST_TEST(number(o, "memory", "weights") > 0);
  BOOST_TEST(number(o, "memory", "peak") > number(o, "memory", "weights"));
}

}  // namespace

// Weights of a block: q and o 64 each, k and v 32 each, gate, up and down 96 each; 480 together.
BOOST_AUTO_TEST_CASE(useful_work_of_made_up_prompts_is_what_counting_by_hand_gives) {
  const tiny_folder model;
  const json::object o =
      measured({"--model", model.path(), "--tokens", "4", "--count", "3", "--threads", "2"});
  check_agreement(o);
  BOOST_TEST(number(o, "prompts") == 3);
  BOOST_TEST(number(o, "tokens_given") == 12);
  BOOST_REQUIRE(number(o, "distinct_prefixes") == 12);
  BOOST_TEST(number(o, "positions_read") == 3);
  BOOST_TEST(number(o, "logit_rows") == 9);  // layers 0, 1 and 2
  BOOST_TEST(number(o, "flop", "useful_blocks") == 2 * ((480 + 64) * 12 + 416 * 3));
  BOOST_TEST(number(o, "flop", "useful_readout") == 2 * 8 * 256 * 9);
  BOOST_TEST(number(o, "flop", "attention") == 4 * 8 * (3 * 10 + 3 * 4));
  const json::object all =
      measured({"--model", model.path(), "--tokens", "4", "--count", "3", "--positions", "all"});
  check_agreement(all);
  BOOST_TEST(number(all, "positions_read") == 12);
  BOOST_TEST(number(all, "flop", "useful_blocks") == 2 * 960 * 12);
}

BOOST_AUTO_TEST_CASE(shared_prefixes_of_a_file_are_counted_once) {
  const tiny_folder model;
  model.write("rows.json", R"([{"prompt":"x1y1"},{"prompt":"x1y2"},{"prompt":"x1y1"}])");
  const words base{"--model", model.path(), "--data", model.path() + "/rows.json"};
  const json::object o = measured(base + words{"--repeat", "2"});
  check_agreement(o);
  BOOST_TEST(number(o, "prompts") == 3);
  BOOST_TEST(number(o, "distinct_prefixes") < number(o, "tokens_given"));
  BOOST_TEST(number(o, "positions_read") == 2);
  BOOST_TEST(o.at("seconds").as_object().at("passes").as_array().size() == 2U);
  const json::object alone = measured(base + words{"--window", "1"});
  BOOST_TEST(number(alone, "distinct_prefixes") == number(alone, "tokens_given"));
  const json::object two = measured(base + words{"--limit", "2"});
  BOOST_TEST(number(two, "prompts") == 2);
  const std::string table = must_work(words{"bench"} + base).out;
  for (const char* head : {"model", "backend", "input", "load", "tokenise", "forward", "prompts", "useful",
                           "executed", "attention", "machine", "memory"})
    BOOST_TEST((table.starts_with(head) || table.find("\n" + std::string(head) + " ") != std::string::npos),
               head);
}

// On a model of random weights: those of a tiny_folder are all alike, so that rounding changes nothing.
BOOST_AUTO_TEST_CASE(precisions_are_compared_layer_by_layer) {
  const std::string model = source_tree() / "tests/golden/models/llama";
  const words base{"--model", model, "--tokens", "6", "--count", "20", "--positions", "all"};
  const auto layers_of = [&](const words& more) {
    const json::object o = measured(base + more).at("agreement").as_object();
    const json::array layers = o.at("layers").as_array();
    BOOST_REQUIRE(layers.size() == 4U);
    for (std::size_t l = 0; l < layers.size(); ++l) {
      BOOST_TEST(number(layers[l].as_object(), "layer") == static_cast<double>(l));
      BOOST_TEST(std::string(layers[l].at("lens").as_string()) == "logit");
      BOOST_TEST(number(layers[l].as_object(), "positions") == 120);
    }
    return layers;
  };
  for (const json::value& layer : layers_of({"--against", "f32"})) {
    BOOST_TEST(number(layer.as_object(), "same_top") == 1);
    BOOST_TEST(number(layer.as_object(), "rank_within_1_percent") == 1);
    BOOST_TEST(number(layer.as_object(), "largest_probability_error") == 0);
  }
  double error = 0;
  for (const json::value& layer : layers_of({"--against", "f32", "--precision", "bf16"})) {
    const double mean = number(layer.as_object(), "mean_probability_error");
    const double most = number(layer.as_object(), "largest_probability_error");
    BOOST_TEST(mean <= most);
    BOOST_TEST(most < 0.1);
    BOOST_TEST(number(layer.as_object(), "same_top") > 0.9);
    error += mean;
  }
  BOOST_TEST(error > 0);
  const std::string table = must_work(words{"bench"} + base + words{"--against", "bf16"}).out;
  BOOST_TEST(table.find("\nagainst bf16") != std::string::npos);
  BOOST_TEST(!measured(base).contains("agreement"));
}

BOOST_AUTO_TEST_CASE(bench_refuses_what_it_cannot_measure) {
  const tiny_folder model;
  const words base{"bench", "--model", model.path()};
  check_refused({"bench"}, status::usage, "--model");
  check_refused(base + words{"--tokens", "65"}, status::usage, "--tokens", "64");
  check_refused(base + words{"--count", "0"}, status::usage, "--count");
  check_refused(base + words{"--repeat", "0"}, status::usage, "--repeat");
  check_refused(base + words{"--against", "f16", "--backend", "cpu"}, status::unavailable, "f16");
  check_refused(base + words{"--prompts", "a", "--data", "b"}, status::usage, "--prompts", "--data");
  check_refused(base + words{"--prompts", model.path() + "/none.json"}, status::no_input, "none.json");
  check_refused(base + words{"--lens", "logit", "--lens", "logit"}, status::usage, "\"logit\"",
                "--lens LABEL:logit");
  check_refused(base + words{"--limit", "2"}, status::usage, "--limit", "--count");
  for (const char* option : {"--tokens", "--count"})
    check_refused(base + words{"--prompts", "a", option, "64"}, status::usage, option, "of a file");
  model.write("empty.json", "[]");
  check_refused(base + words{"--prompts", model.path() + "/empty.json"}, status::data, "empty.json",
                "no prompts");
}

BOOST_AUTO_TEST_SUITE_END()
