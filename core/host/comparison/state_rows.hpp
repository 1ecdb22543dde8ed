// SPDX-License-Identifier: Apache-2.0
// The states that a run kept of an experiment (--save-states), found by what they are of.
#pragma once

#include "depthlens/files/safetensors.hpp"

#include <compare>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace depthlens {

// A place of which states are kept.
struct kept_place {
  std::string set;
  std::int64_t prompt = 0, sequence = 0, position = 0;
  auto operator<=>(const kept_place&) const = default;
};

class state_rows {
 public:
  // RUN/states/STUDY. Throws status::no_input where there is none, data where its files contradict each
  // other.
  explicit state_rows(const std::filesystem::path& folder);

  const std::vector<std::uint32_t>& layers() const noexcept { return layers_; }  // ascending
  // In ascending order; places whose state an experiment changed itself are left out.
  struct row {
    kept_place place;
    std::int64_t token = 0;
    std::uint32_t file = 0;
    std::uint64_t number = 0;  // in the file
  };
  std::span<const row> rows() const noexcept { return rows_; }
  std::vector<float> state(const row& of, std::uint32_t layer) const;  // (D)
  std::uint64_t width() const noexcept { return width_; }              // D

 private:
  void read_index();
  std::uint32_t number_of(const std::string& file);  // which is opened where it was not
  void take_tensors(const safetensors_file& file);

  std::filesystem::path folder_;
  std::deque<safetensors_file> files_;
  std::map<std::string, std::uint32_t> numbers_;                             // of files, by name
  std::vector<std::map<std::uint32_t, const safetensors_tensor*>> tensors_;  // by file and layer
  std::vector<std::uint32_t> layers_;
  std::vector<row> rows_;
  std::uint64_t width_ = 0;
};

}  // namespace depthlens
