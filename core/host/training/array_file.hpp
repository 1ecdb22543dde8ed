// SPDX-License-Identifier: Apache-2.0
// Named arrays of float32 in a safetensors file, for what a training keeps until it ends.
#pragma once

#include "depthlens/files/safetensors.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace depthlens {

struct trainer_array {
  std::string name;
  std::vector<std::uint64_t> shape;  // row-major
  std::vector<float> values;
};

// Complete or not at all. Errors: cannot_create, io.
void write_arrays(const std::filesystem::path& file, const std::vector<trainer_array>& arrays);

class array_file {
 public:
  explicit array_file(const std::filesystem::path& file) : path_(file), stored_(file) {}
  // Errors: status::data where the file has no array of that name and shape.
  std::vector<float> read(const std::string& name, const std::vector<std::uint64_t>& shape) const;

 private:
  std::filesystem::path path_;
  safetensors_file stored_;
};

}  // namespace depthlens
