// SPDX-License-Identifier: Apache-2.0
// One call of forward on its way through the blocks.
#pragma once

#include "model.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace depthlens::cpu {

struct model::pass {
  static constexpr std::size_t chunk_rows = 256;  // go through a block together

  token_tree tree;
  std::vector<std::uint32_t> read_tokens;  // distinct, in tree order
  query_rows all, reads;
  std::vector<read_site> sites;  // of read_tokens
  workspace& scratch;
  std::shared_ptr<const kept_path> above;  // that the pack continues
  std::shared_ptr<kept_path> kept;         // that it is to keep, and its tokens in tree order
  std::vector<std::uint32_t> kept_tokens;
};

}  // namespace depthlens::cpu
