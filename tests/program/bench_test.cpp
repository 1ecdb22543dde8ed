// SPDX-License-Identifier: Apache-2.0
// depthlens bench on a tiny model: what it states, that its figures agree with each other and with the work counted by
// hand, and what it refuses. How long anything took is never judged.
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

BOOST_AUTO_TEST_CASE(bench_refuses_what_it_cannot_measure) {
  const tiny_folder model;
  const words base{"bench", "--model", model.path()};
  check_refused({"bench"}, status::usage, "--model");
  check_refused(base + words{"--tokens", "65"}, status::usage, "--tokens", "64");
  check_refused(base + words{"--count", "0"}, status::usage, "--count");
  check_refused(base + words{"--repeat", "0"}, status::usage, "--repeat");
  check_refused(base + words{"--prompts", "a", "--data", "b"}, status::usage, "--prompts", "--data");
  check_refused(base + words{"--prompts", model.path() + "/none.json"}, status::no_input, "none.json");
  model.write("empty.json", "[]");
  check_refused(base + words{"--prompts", model.path() + "/empty.json"}, status::data, "empty.json",
                "no prompts");
}

BOOST_AUTO_TEST_SUITE_END()
