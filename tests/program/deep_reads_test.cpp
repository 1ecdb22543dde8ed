// SPDX-License-Identifier: Apache-2.0
// What an experiment may ask of a read besides ranks: the likeliest tokens and the hidden states; and what
// the tokenizer and repeated options give it. A backend in C, which shares no code, has the same numbers.
#include "program/c_plugin.hpp"
#include "program/tiny_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <sstream>
#include <string>

BOOST_AUTO_TEST_SUITE(deep_reads)

namespace {

using namespace depthlens;
using namespace depthlens::test;

constexpr const char* deep_source = R"(
#include "depthlens/experiment.hpp"
#include <array>
#include <cmath>
using namespace depthlens;
class deep final : public study {
 public:
  static std::span<const dlens_option> options() {
    static const std::array list = {make_option({.id = "mark", .type = DLENS_OPTION_I64, .help = "A mark.",
                                                 .least = -1, .most = 9007199254740993,
                                                 .flags = DLENS_GIVEN_REPEATEDLY})};
    return list;
  }
  static std::span<const dlens_input> inputs() {
    static constexpr const char* kinds[] = {DLENS_KIND_PROMPT, nullptr};
    static const std::array list = {make_input("", kinds)};
    return list;
  }
  deep(const dlens_run& run, const option_values& given)
      : tokenizer_(run.tokenizer), width_(run.d_model), marks_(given.all("mark")) {}
  void plan(const record_view& r, const tops_view& tops, const request_view& q) const override {
    if (tops.rounds() > 0) return;
    const auto ids = tokenizer_.encode_text(r.at("prompt"));
    const std::uint32_t s = q.add_sequence(ids);
    q.add_read(s, ids.size() - 1, {}, 3, DLENS_READ_HIDDEN);
    q.add_read(s, 0, {});
  }
  void consume(const record_view& r, const answers_view& a, std::uint32_t,
               const sink_view& sink) const override {
    const dlens_reading& reading = a.reading(0, 0);
    const dlens_reading& other = a.reading(0, 1);
    if (other.n_top != 0 || other.top || other.top_logprob || other.hidden) fail(status::data, "too much");
    std::string marks = tokenizer_.decode(tokenizer_.encode_text(r.at("prompt")));
    for (const std::string& mark : marks_) marks += "|" + mark;
    for (std::uint32_t l = 0; l < reading.n_layers; ++l) {
      double squares = 0;
      for (std::uint32_t i = 0; i < width_; ++i)
        squares += std::pow(hidden_of(reading, reading.layers[l])[i], 2);
      if (reading.top[l][0] != reading.guess[l]) fail(status::data, "another guess");
      const auto top = top_of(reading, l);
      sink.append(0, std::array{i64_value(static_cast<std::int64_t>(r.index())), i64_value(reading.layers[l]),
                                i64_value(top[0]), i64_value(top[1]), i64_value(top[2]),
                                f64_value(top_logprob_of(reading, l)[2]), f64_value(std::sqrt(squares)),
                                text_value(marks)});
    }
  }
  const description& describe() override { return description_; }
 private:
  tokenizer_view tokenizer_;
  std::uint32_t width_;
  std::vector<std::string> marks_;
  description description_{{{"rows", "deep_{lens}", {{"prompt_id", DLENS_I64}, {"layer", DLENS_I64},
      {"first", DLENS_I64}, {"second", DLENS_I64}, {"third", DLENS_I64}, {"logprob", DLENS_F64},
      {"norm", DLENS_F64}, {"marks", DLENS_TEXT}}}}, {}};
};
DEPTHLENS_EXPERIMENT(deep, "experiment.deep", "1", "made by a test", "MIT");
)";

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> out;
  std::istringstream in(line);
  for (std::string cell; std::getline(in, cell, ',');) out.push_back(cell);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(likeliest_tokens_and_hidden_states_are_those_that_another_backend_has) {
  const scratch_folder folder;
  build_cpp_plugin(folder, deep_source, "experiment-deep.so");
  build_c_plugin(folder, source_tree() / "share/skeleton/backend/longhand.c", "backend-longhand.so");
  const tiny_folder model;
  model.make_random();
  const std::string rows =
      folder.write("rows.json", R"([{"prompt": "hello there"}, {"prompt": "hell"}, {"prompt": "abd"}])");
  const auto table_of = [&](const std::string& backend, const std::string& threads) {
    const auto out = folder.path() / (backend + threads);
    must_work({"run",    "deep",    "--plugin-path", folder.path(),      "--backend",
               backend,  "--model", model.path(),    "--data",           "deep=" + rows,
               "--mark", "7",       "--mark",        "9007199254740993", "--threads",
               threads,  "--bos",   "never",         "--format",         "svg",
               "--out",  out});
    return lines_of(read_bytes(out / "data/deep_logit.csv"));
  };
  const words cpu = table_of("cpu", "1"), longhand = table_of("longhand", "1");
  BOOST_TEST((table_of("cpu", "3") == cpu));
  BOOST_REQUIRE(cpu.size() > 6U);
  BOOST_REQUIRE(cpu.size() == longhand.size());
  for (std::size_t i = 1; i < cpu.size(); ++i) {
    const auto one = cells_of(cpu[i]), other = cells_of(longhand[i]);
    BOOST_REQUIRE(one.size() == 8U);
    for (const std::size_t same : {0, 1, 2, 3, 4, 7}) BOOST_TEST(one[same] == other[same], cpu[i]);
    for (const std::size_t near : {5, 6})
      BOOST_TEST(std::abs(std::stod(one[near]) - std::stod(other[near])) < 1e-3, cpu[i]);
    BOOST_TEST(std::stod(one[6]) > 0);
  }
  BOOST_TEST(cells_of(cpu[1])[7] == "\"hello there|7|9007199254740993\"", cpu[1]);
  const std::string manifest = read_bytes(folder.path() / "cpu1/run.json");
  BOOST_TEST(manifest.find("9007199254740993") != std::string::npos, manifest);
}

BOOST_AUTO_TEST_CASE(numbers_outside_the_exact_bounds_of_an_option_are_refused) {
  const scratch_folder folder;
  build_cpp_plugin(folder, deep_source, "experiment-deep.so");
  const tiny_folder model;
  const std::string rows = folder.write("rows.json", R"([{"prompt": "hello there"}])");
  for (const char* mark : {"9007199254740994", "-2", "1.5", "x"})
    check_refused({"run", "deep", "--plugin-path", folder.path(), "--model", model.path(), "--data",
                   "deep=" + rows, "--mark", mark, "--out", folder.path() / "run"},
                  status::usage, "--mark", mark);
}

BOOST_AUTO_TEST_SUITE_END()
