// SPDX-License-Identifier: Apache-2.0
// A family's smallest model as files, with weights that a test computes.
#pragma once

#include "depthlens/model/model_files.hpp"
#include "support/tiny_models.hpp"

#include <cstddef>
#include <cstring>
#include <functional>
#include <numeric>
#include <string>

namespace depthlens::test {

struct made_model {
  scratch_folder folder;
  model_files files;
  // weight: that of each value, counted through all tensors. more: further keys of config.json.
  made_model(const family_model& m, const std::function<double(std::size_t)>& weight,
             const std::string& more = "")
      : files(write(folder, m, weight, more)) {}

 private:
  static model_files write(const scratch_folder& folder, const family_model& m,
                           const std::function<double(std::size_t)>& weight, const std::string& more) {
    std::size_t n = 0;
    for (const named_shape& t : m.tensors)
      n += std::accumulate(t.shape.begin(), t.shape.end(), std::size_t{1}, std::multiplies<>());
    std::string text = safetensors_text(m.tensors);
    for (std::size_t i = 0; i < n; ++i) {
      const auto x = static_cast<float>(weight(i));
      std::memcpy(text.data() + text.size() - (n - i) * sizeof x, &x, sizeof x);
    }
    folder.write("config.json", m.config(more));
    folder.write("model.safetensors", text);
    return model_files::open(folder.path());
  }
};

}  // namespace depthlens::test
