// SPDX-License-Identifier: Apache-2.0
// A token at which something is read, once whatever was asked there.
#pragma once

#include <cstdint>
#include <vector>

namespace depthlens {

struct read_site {
  std::uint32_t token = 0;            // in tree order: of a pack's tree, or of the forest of all packs
  std::vector<std::uint32_t> reads;   // that are answered here, ascending
  std::vector<std::int32_t> targets;  // ids; -1 = the model's own final top-1
};

}  // namespace depthlens
