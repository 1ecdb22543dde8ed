// SPDX-License-Identifier: Apache-2.0
// One run of all experiments on the demo model has the same tables byte for byte, whatever threads, windows
// and packs it is given, in whatever order its rows come, and when it is extended step by step.
#include "program/demo.hpp"

#include "support/model_bytes.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(identical_tables)

namespace {

using namespace depthlens;
using namespace depthlens::test;
using tables = std::map<std::string, std::string>;

constexpr std::size_t kRows = 20;
const words kNoFigures = {"--format", "svg"};

const small_data& data() {
  static const small_data files(kRows);
  return files;
}

tables tables_with(const small_data& files, const words& more) {
  const scratch_folder folder;
  must_work(files.all() + more + words{"--out", folder.path() / "run"} + kNoFigures);
  return tables_of(folder.path() / "run");
}

const tables& reference() {
  static const tables t = tables_with(data(), {"--threads", "2"});
  return t;
}

// The rows of a CSV; quoted fields may hold line ends.
words csv_rows(const std::string& text) {
  words out(1);
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    out.back() += c;
    if (c == '\n' && !quoted) out.emplace_back();
  }
  if (out.back().empty()) out.pop_back();
  return out;
}

// A table with the numbers of its records mapped and its rows put in their order, within rows that agree in
// all columns before the number; tables without such numbers stay as they are.
std::string renumbered(const std::string& csv, const std::vector<std::size_t>& number) {
  words rows = csv_rows(csv);
  const std::string header = rows.at(0);
  const std::size_t at = header.find("prompt_id,");
  if (at == std::string::npos) return csv;
  const auto columns_before =
      std::count(header.begin(), header.begin() + static_cast<std::ptrdiff_t>(at), ',');
  using block =
      std::pair<std::string, std::map<std::size_t, std::string>>;  // what they agree in, rows by number
  std::vector<block> blocks;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    std::size_t begin = 0;
    for (std::ptrdiff_t c = 0; c < columns_before; ++c) begin = rows[i].find(',', begin) + 1;
    const std::size_t end = rows[i].find(',', begin);
    const std::string before = rows[i].substr(0, begin);
    if (blocks.empty() || blocks.back().first != before) blocks.push_back({before, {}});
    const std::size_t mapped = number.at(std::stoul(rows[i].substr(begin, end - begin)));
    blocks.back().second[mapped] += before + std::to_string(mapped) + rows[i].substr(end);
  }
  std::string out = header;
  for (const block& b : blocks)
    for (const auto& [record, text] : b.second) out += text;
  return out;
}

// A tuned lens whose weights are zero (a hole in the file) and whose biases are not.
void write_lens(const std::filesystem::path& folder, std::size_t layers, std::size_t width) {
  std::filesystem::create_directories(folder);
  std::string header;
  std::size_t at = 0;
  const auto add = [&](const std::string& name, const std::string& shape, std::size_t bytes) {
    header += cat(header.empty() ? "{" : ",", '"', name, "\":{\"dtype\":\"F32\",\"shape\":", shape,
                  ",\"data_offsets\":[", at, ',', at + bytes, "]}");
    at += bytes;
  };
  for (std::size_t l = 0; l < layers; ++l) add(cat(l, ".bias"), cat('[', width, ']'), 4 * width);
  for (std::size_t l = 0; l < layers; ++l)
    add(cat(l, ".weight"), cat('[', width, ',', width, ']'), 4 * width * width);
  byte_writer file;
  file.string(header + "}");
  const std::size_t whole = file.size() + at;
  for (std::size_t i = 0; i < layers * width; ++i) file.put(static_cast<float>(i % 7) * 0.25F - 0.5F);
  std::ofstream(folder / "params.safetensors", std::ios::binary) << text_of(file);
  std::filesystem::resize_file(folder / "params.safetensors", whole);
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_experiment_has_rows) {
  BOOST_TEST(reference().size() >= 20U);
  for (const char* name :
       {"pos_NOUN_logit.csv", "facts_logit.csv", "downstream_mood_logit.csv", "freq_logit.csv",
        "flips_logit.csv", "frequency_buckets_logit.csv", "decision_flips_logit.csv",
        "earliest_layer_pos_logit.csv", "earliest_layer_facts_logit.csv", "prompts_facts.csv"}) {
    BOOST_REQUIRE_MESSAGE(reference().contains(name), name << " is missing");
    BOOST_TEST(csv_rows(reference().at(name)).size() > 5U, name << " has too few rows");
  }
}

BOOST_AUTO_TEST_CASE(threads_do_not_change_a_byte) {
  check_same_tables(tables_with(data(), {"--threads", "1"}), reference());
}

BOOST_AUTO_TEST_CASE(windows_and_packs_do_not_change_a_byte) {
  check_same_tables(tables_with(data(), {"--window", "7", "--pack-tokens", "64"}), reference());
}

BOOST_AUTO_TEST_CASE(weights_that_are_streamed_do_not_change_a_byte) {
  check_same_tables(tables_with(data(), {"--memory", "300M", "--threads", "1"}), reference());
  check_same_tables(tables_with(data(), {"--memory", "215M", "--threads", "2"}), reference());
}

BOOST_AUTO_TEST_CASE(sharing_prefixes_does_not_change_a_byte) {
  check_same_tables(tables_with(data(), {"--sharing", "off"}), reference());
  check_same_tables(tables_with(data(), {"--sharing", "on", "--pack-tokens", "16"}), reference());
}

BOOST_AUTO_TEST_CASE(shuffled_rows_give_the_same_tables_when_their_numbers_are_mapped_back) {
  std::vector<std::size_t> order(kRows);
  for (std::size_t i = 0; i < kRows; ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), std::mt19937(11));
  const small_data shuffled(kRows, [&](std::size_t i) { return order[i]; });
  tables got = tables_with(shuffled, {});
  for (auto& [name, csv] : got) csv = renumbered(csv, order);
  check_same_tables(got, reference());
}

BOOST_AUTO_TEST_CASE(a_run_of_ten_rows_that_is_extended_to_all_is_as_if_run_at_once) {
  const scratch_folder folder;
  const words out = words{"--out", folder.path() / "run"} + kNoFigures;
  must_work(data().all() + words{"--limit", "10"} + out);
  const tables ten = tables_of(folder.path() / "run");
  BOOST_TEST((ten.at("facts_logit.csv") != reference().at("facts_logit.csv")));
  const outcome rest = must_work(data().all() + out);
  BOOST_TEST(rest.err.find("50 records in") != std::string::npos,
             rest.err);  // the other ten of five experiments
  check_same_tables(tables_of(folder.path() / "run"), reference());
  const outcome nothing = must_work(data().all() + out);
  BOOST_TEST(nothing.err.find("0 records in") != std::string::npos, nothing.err);
  check_same_tables(tables_of(folder.path() / "run"), reference());
}

BOOST_AUTO_TEST_CASE(experiments_and_lenses_that_are_added_one_by_one_give_the_tables_of_one_run) {
  const scratch_folder folder;
  write_lens(folder.path() / "lens", 30, 576);
  const words start = {"--model", demo_model(), "--out", folder.path() / "run", "--format", "svg"};
  const words both = {"--lens", "logit", "--lens", "bias:tuned=" + (folder.path() / "lens").string()};
  must_work(words{"run", "facts"} + data().facts() + start);
  must_work(words{"run", "facts", "pos"} + data().facts() + data().pos() + start);
  must_work(words{"run", "facts", "pos"} + data().facts() + data().pos() + start + both);

  const tables grown = tables_of(folder.path() / "run");
  must_work(words{"run", "facts", "pos"} + data().facts() + data().pos() + both +
            words{"--model", demo_model(), "--out", folder.path() / "whole", "--format", "svg"});
  check_same_tables(grown, tables_of(folder.path() / "whole"));
  for (const char* name : {"facts_logit.csv", "pos_NOUN_logit.csv", "prompts_facts.csv"})
    BOOST_TEST((grown.at(name) == reference().at(name)), name << " differs");
  BOOST_TEST((grown.at("facts_bias.csv") != grown.at("facts_logit.csv")));
}

BOOST_AUTO_TEST_SUITE_END()
