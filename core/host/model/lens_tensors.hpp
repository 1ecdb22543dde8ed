// SPDX-License-Identifier: Apache-2.0
// The named tensors of a tuned lens, out of a safetensors file or a file of torch.save.
#pragma once

#include "depthlens/files/safetensors.hpp"
#include "depthlens/files/torch_file.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace depthlens {

class lens_tensors {
 public:
  // By the extension: .safetensors, else .pt. Errors: no_input, data.
  explicit lens_tensors(const std::filesystem::path& file);

  bool has(const std::string& name) const;
  std::vector<std::string> names() const;
  const std::string& type_name() const { return type_name_; }  // of the first tensor
  // The values of a tensor of this shape, to out. Errors: data, naming what is missing or different.
  void read(const std::string& name, const std::vector<std::uint64_t>& shape, float* out) const;

 private:
  struct entry {
    const tensor_view* view;
    std::string type_name;
    const torch_tensor* torch = nullptr;
  };
  const entry* find(const std::string& name) const;

  std::string path_, type_name_;
  std::unique_ptr<safetensors_file> safetensors_;
  std::unique_ptr<torch_file> torch_;
  std::vector<torch_tensor> torch_tensors_;
  std::vector<entry> entries_;
};

// A warning that names the file and `what` of it, where not all values are finite.
void warn_if_not_finite(const std::string& file, const std::string& what, std::span<const float> values);

}  // namespace depthlens
