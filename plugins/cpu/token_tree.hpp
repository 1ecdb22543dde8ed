// SPDX-License-Identifier: Apache-2.0
// A pack's tokens in depth-first order: behind every token come its descendants, so that while walking along,
// the token seen last at each smaller position is an ancestor. Tokens that continue a kept path come deepest
// first, so that its tokens are the ones seen last until they are not needed any more. Also the check of what
// the host handed over.
#pragma once

#include "depthlens/abi/backend.h"

#include <cstdint>
#include <vector>

namespace depthlens::cpu {

// Tokens begin..end-1, each the parent of the next.
struct token_run {
  std::uint32_t begin, end;
};

struct token_tree {
  std::vector<std::int32_t> token, position;  // (T) in depth-first order
  std::vector<std::uint32_t> place;           // (T) index in the pack -> index here
  std::vector<token_run> runs;                // all tokens, in order
  std::uint32_t n_positions = 0;              // longest path
  std::uint32_t n_above = 0;                  // positions of the kept path that the pack needs
};

struct tree_limits {
  std::uint32_t vocab_size;
  std::uint32_t max_positions;
  std::uint32_t prefix_length = 0;  // positions of the kept path that the pack continues
};

// Errors: status::data for ids, parents, positions, reads and targets out of range; nothing has been computed
// then.
token_tree make_token_tree(const dlens_batch& batch, const tree_limits& limits);

}  // namespace depthlens::cpu
