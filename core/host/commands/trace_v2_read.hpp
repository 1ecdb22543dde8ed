// SPDX-License-Identifier: Apache-2.0
// Readings in the layout of LogitLensKit's version 2, as `depthlens trace --format v2` and that library write
// them, read back for `trace --html`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace depthlens {

// One prompt. Tokens are their bytes, as far as the file has them; numbers that it has not are NaN.
struct v2_prompt {
  std::filesystem::path file;  // that has it, as it was given
  std::string model;
  std::vector<std::string> input;             // (P)
  std::vector<std::uint32_t> layers;          // (L), counted as everywhere here: one more
  std::vector<std::vector<std::string>> top;  // (P * L) likeliest first
  std::vector<float> entropy;                 // (P * L) nats
  std::vector<std::map<std::string, std::vector<float>>> tracked;  // (P) token -> its probability (L)

  std::size_t cells() const { return input.size() * layers.size(); }
  std::size_t longest_list() const;
};

// All prompts of a file: one JSON object, or one on each line. Errors: those of mapped_file, and status::data
// with the file and what is wrong: another version, lists of other lengths, over 64 tokens in a list, or more
// cells than a page may have.
std::vector<v2_prompt> read_v2(const std::filesystem::path& file, std::size_t most_cells);

}  // namespace depthlens
