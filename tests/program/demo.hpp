// SPDX-License-Identifier: Apache-2.0
// The demo model and small data files for runs of the whole program, and the CSVs that such runs leave.
#pragma once

#include "depthlens/table/csv.hpp"
#include "program/process.hpp"
#include "support/demo_model.hpp"

#include <boost/json.hpp>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace depthlens::test {

inline std::string demo_model() {
  const std::filesystem::path model = demo_model_path();
  BOOST_REQUIRE_MESSAGE(std::filesystem::exists(model),
                        "the demo model is missing; get it with: bash share/get-model.sh");
  return model;
}

inline std::filesystem::path demo_data(const char* name) { return source_tree() / "share/demo" / name; }

// The token frequencies of the demo text; made once for all tests.
inline std::string token_counts() {
  static const scratch_folder folder;
  const auto file = folder.path() / "counts.json";
  if (!std::filesystem::exists(file))
    must_work({"tokens", "count", "--model", demo_model(), "--text", demo_data("counts.txt"), "--out", file});
  return file;
}

inline boost::json::array demo_rows(const char* name, std::size_t n) {
  boost::json::array all = boost::json::parse(read_bytes(demo_data(name))).as_array();
  all.erase(all.begin() + static_cast<std::ptrdiff_t>(n), all.end());
  return all;
}

// The first n tagged sentences of the demo text, each with its comments.
inline words demo_sentences(std::size_t n) {
  words out;
  std::string block;
  for (const std::string& line : lines_of(read_bytes(demo_data("prose.conllu")))) {
    if (!line.empty()) block += line + "\n";
    if (!line.empty() || block.empty()) continue;
    out.push_back(std::exchange(block, "") + "\n");
    if (out.size() == n) break;
  }
  return out;
}

// Data for all five experiments, n records each; reorder(i) says which record stands at place i.
class small_data {
 public:
  template <class Reorder>
  small_data(std::size_t n, Reorder reorder) {
    const words sentences = demo_sentences(n);
    const boost::json::array facts = demo_rows("facts.json", n), options = demo_rows("sentiment.json", n);
    std::string tagged;
    boost::json::array fact_rows, option_rows, prompt_rows;
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t from = reorder(i);
      tagged += sentences.at(from);
      fact_rows.push_back(facts.at(from));
      option_rows.push_back(options.at(from));
      const std::string& s = sentences[from];
      const std::size_t text = s.find("# text = ") + 9, end = s.rfind(' ', s.find('\n', text));
      prompt_rows.push_back(boost::json::object{{"prompt", s.substr(text, end - text)}});
    }
    pos_ = folder_.write("pos.conllu", tagged);
    facts_ = folder_.write("facts.json", boost::json::serialize(fact_rows));
    options_ = folder_.write("options.json", boost::json::serialize(option_rows));
    prompts_ = folder_.write("prompts.json", boost::json::serialize(prompt_rows));
  }
  explicit small_data(std::size_t n) : small_data(n, [](std::size_t i) { return i; }) {}

  words pos() const { return {"--data", "pos=" + pos_}; }
  words facts() const { return {"--data", "facts=" + facts_}; }
  words downstream() const { return {"--data", "downstream.mood=" + options_}; }
  words freq() const { return {"--data", "freq=" + prompts_, "--token-counts", token_counts()}; }
  // Every experiment on all data; the caller adds --out and what else it wants.
  words all() const {
    return words{"run", "pos", "facts", "downstream", "freq", "flips", "--model", demo_model()} + pos() +
           facts() + downstream() +
           words{"--data", "freq,flips=" + prompts_, "--token-counts", token_counts()};
  }

 private:
  scratch_folder folder_;
  std::string pos_, facts_, options_, prompts_;
};

// Column -> value.
using table_row = std::map<std::string, std::string>;

inline std::vector<table_row> table_rows(const std::filesystem::path& csv) {
  std::vector<table_row> out;
  csv_reader reader(csv);
  for (std::vector<std::string> values; reader.next(values);) {
    table_row& r = out.emplace_back();
    for (std::size_t i = 0; i < values.size(); ++i) r[reader.header()[i]] = values[i];
  }
  return out;
}

inline std::vector<table_row> table_rows(const std::filesystem::path& run, const std::string& table) {
  return table_rows(run / "data" / table);
}

// File name -> content of all CSVs of a run.
inline std::map<std::string, std::string> tables_of(const std::filesystem::path& run) {
  std::map<std::string, std::string> out;
  if (std::filesystem::exists(run / "data"))
    for (const auto& item : std::filesystem::directory_iterator(run / "data"))
      out[item.path().filename()] = read_bytes(item.path());
  return out;
}

inline void check_same_tables(const std::map<std::string, std::string>& got,
                              const std::map<std::string, std::string>& wanted) {
  BOOST_TEST(!wanted.empty());
  for (const auto& [name, bytes] : wanted) {
    const auto at = got.find(name);
    BOOST_TEST((at != got.end()), name << " is missing");
    if (at != got.end()) BOOST_TEST((at->second == bytes), name << " differs");
  }
  for (const auto& [name, bytes] : got) BOOST_TEST(wanted.contains(name), name << " should not be there");
}

// No table, whole or half, may lie where a command has failed.
inline void check_no_tables(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder)) return;
  for (const auto& item : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = item.path().filename();
    BOOST_TEST((name.find(".csv") == std::string::npos), item.path() << " was left behind");
  }
}

inline boost::json::object manifest_of(const std::filesystem::path& run) {
  return boost::json::parse(read_bytes(run / "run.json")).as_object();
}

}  // namespace depthlens::test
