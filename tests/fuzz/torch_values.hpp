// SPDX-License-Identifier: Apache-2.0
// What a file of torch.save must fulfil once it is read: every tensor lies in its record and can be read or
// is refused.
#pragma once

#include "fuzz/check.hpp"

#include "depthlens/files/torch_file.hpp"

#include <string_view>
#include <vector>

namespace depthlens::fuzz {

inline void check_torch_file(const torch_file& file, std::string_view label) {
  for (const auto& entry : file.tensors()) {
    const torch_tensor& tensor = entry.second;
    const auto record = tensor.record->data;
    promise(tensor.view.data >= record.data() &&
                tensor.view.data + tensor.view.bytes <= record.data() + record.size(),
            "a tensor leaves its record");
    touch(tensor.view.data, tensor.view.bytes);
    allow_refusal(label, [&] {
      std::vector<float> values(tensor.view.bytes);  // no element is smaller than a byte
      file.read(tensor, values.data());
    });
  }
  allow_refusal(label, [&] {
    for (const torch_tensor& t : file.state_dict()) touch(t.view.name.data(), t.view.name.size());
  });
}

}  // namespace depthlens::fuzz
