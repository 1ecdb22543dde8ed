// SPDX-License-Identifier: Apache-2.0
// A file of token counts for tests of the frequency experiments; removed with the object.
#pragma once

#include "toy_tokenizer.hpp"

#include "depthlens/data/token_counts.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace depthlens::test {

class counts_file {
 public:
  // The most frequent piece first.
  counts_file(toy_tokenizer& tokenizer, const std::vector<std::string>& pieces) {
    std::vector<token_count> entries;
    for (std::size_t i = 0; i < pieces.size(); ++i)
      entries.push_back({tokenizer.id(pieces[i]), pieces[i], pieces.size() - i, 0});
    write_token_counts(path_, std::move(entries));
  }
  // The text as it is.
  explicit counts_file(const std::string& json) { std::ofstream(path_) << json; }
  ~counts_file() { std::filesystem::remove(path_); }
  counts_file(const counts_file&) = delete;
  counts_file& operator=(const counts_file&) = delete;

  std::string path() const { return path_.string(); }

 private:
  static std::filesystem::path fresh_name() {
    static int n = 0;
    return std::filesystem::temp_directory_path() /
           ("depthlens-counts-" + std::to_string(::getpid()) + "-" + std::to_string(n++) + ".json");
  }
  std::filesystem::path path_ = fresh_name();
};

}  // namespace depthlens::test
