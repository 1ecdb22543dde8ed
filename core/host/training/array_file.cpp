// SPDX-License-Identifier: Apache-2.0
#include "training/array_file.hpp"

#include "depthlens/files/safetensors_writer.hpp"

#include <cstring>

namespace depthlens {

void write_arrays(const std::filesystem::path& file, const std::vector<trainer_array>& arrays) {
  std::vector<named_floats> tensors;
  for (const trainer_array& a : arrays) tensors.push_back({a.name, a.shape, a.values});
  write_safetensors(file, tensors);
}

std::vector<float> array_file::read(const std::string& name, const std::vector<std::uint64_t>& shape) const {
  for (const safetensors_tensor& t : stored_.tensors())
    if (t.view.name == name && t.view.type == dtype::f32 && t.view.shape == shape) {
      std::vector<float> values(t.view.bytes / sizeof(float));
      std::memcpy(values.data(), t.view.data, t.view.bytes);
      return values;
    }
  fail(status::data, path_.string(), ": has no array ", name, " of the size that this training needs");
}

}  // namespace depthlens
