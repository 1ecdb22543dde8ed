// SPDX-License-Identifier: Apache-2.0
// The pickle of a .pt file, in an archive that is right: a fuzzer does not find the checksums that lead to
// it. Record 0 holds six floats.
#include "fuzz/memory_files.hpp"
#include "fuzz/targets.hpp"
#include "fuzz/torch_values.hpp"
#include "support/torch_bytes.hpp"

#include <string>

namespace depthlens::fuzz {

void torch_pickle(std::string_view input) {
  static memory_folder folder;
  const std::string bytes = test::zip_of(test::torch_parts(std::string(input)));
  const auto path = folder.put("m.pt", bytes);
  const auto file = read_cleanly("m.pt", bytes.size(), {.times = 256, .base = std::size_t{256} << 10},
                                 [&] { return torch_file(path); });
  if (file) check_torch_file(*file, "m.pt");
}

}  // namespace depthlens::fuzz
