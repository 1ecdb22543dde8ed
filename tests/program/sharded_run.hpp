// SPDX-License-Identifier: Apache-2.0
// A run on a tiny model that several processes do, and the same by one.
#pragma once

#include "program/demo.hpp"
#include "program/tiny_folder.hpp"

#include <boost/json.hpp>

#include <filesystem>
#include <random>
#include <string>

namespace depthlens::test {

class sharded_run {
 public:
  // Prompts with their answers, no two alike, of 4 to 30 letters.
  explicit sharded_run(std::size_t records) {
    model_.make_random();
    std::mt19937 random(17);
    boost::json::array rows;
    for (std::size_t i = 0; i < records; ++i) {
      std::string prompt = std::to_string(i) + " ";
      for (std::size_t n = 4 + random() % 26; n > 0; --n) prompt += static_cast<char>('a' + random() % 26);
      rows.push_back(
          {{"prompt", prompt}, {"answer", std::string(1, static_cast<char>('a' + random() % 26))}});
    }
    data_ = folder_.write("facts.json", boost::json::serialize(rows));
  }

  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }
  std::string model() const { return model_.path(); }
  const std::filesystem::path& data() const { return data_; }
  const std::filesystem::path& folder() const { return folder_.path(); }
  // Of run and shard alike, behind their experiments.
  words options(const std::string& out) const {
    return {"--model",   model_.path(),
            "--out",     path(out),
            "--data",    "facts=" + data_.string(),
            "--data",    "early-exit=" + data_.string(),
            "--format",  "svg",
            "--threads", "2"};
  }
  words run(const std::string& out) const { return words{"run", "facts", "early-exit"} + options(out); }
  words plan(const std::string& out, const std::string& n) const {
    return words{"shard", "facts", "early-exit", "--n", n} + options(out);
  }
  words shard(const std::string& out, const std::string& which) const {
    return run(out) + words{"--shard", which};
  }

 private:
  tiny_folder model_;
  scratch_folder folder_;
  std::filesystem::path data_;
};

// Everything that a reader of results sees: tables, and what figures are drawn of.
inline std::map<std::string, std::string> results_of(const std::filesystem::path& run) {
  std::map<std::string, std::string> out = tables_of(run);
  if (std::filesystem::exists(run / "plots"))
    for (const auto& item : std::filesystem::directory_iterator(run / "plots"))
      if (item.path().extension() == ".dat" || item.path().extension() == ".gp")
        out[item.path().filename()] = read_bytes(item.path());
  return out;
}

}  // namespace depthlens::test
