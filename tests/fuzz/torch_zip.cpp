// SPDX-License-Identifier: Apache-2.0
// A whole .pt file: its zip directory by both readers, then what it holds.
#include "fuzz/memory_files.hpp"
#include "fuzz/targets.hpp"
#include "fuzz/torch_values.hpp"

namespace depthlens::fuzz {

void torch_zip(std::string_view input) {
  static memory_folder folder;
  const auto path = folder.put("m.pt", input);
  const auto file = read_cleanly("m.pt", input.size(), {.times = 256, .base = std::size_t{256} << 10},
                                 [&] { return torch_file(path); });
  if (file) check_torch_file(*file, "m.pt");
}

}  // namespace depthlens::fuzz
