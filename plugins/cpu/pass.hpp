// SPDX-License-Identifier: Apache-2.0
// One call of forward on its way through the blocks: what is asked, and where the states are.
#pragma once

#include "model.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace depthlens::cpu {

struct model::pass {
  // Errors: those of make_token_tree; status::internal for a token to keep that is not in the pack.
  pass(const model& m, const dlens_batch& batch, workspace& space);

  // Where the sites' states of a layer are kept, (S, D).
  float_rows states(std::uint32_t layer) const { return hidden.part({layer * sites.size(), sites.size()}); }

  std::shared_ptr<const kept_path> above;  // that the pack continues; null = none
  token_tree tree;
  std::vector<read_site> sites;            // (S) tokens that are read, by one read or more; in tree order
  std::vector<std::uint32_t> read_tokens;  // of the sites
  query_rows all, reads;                   // all tokens; those of the sites
  std::shared_ptr<kept_path> kept;         // that the pack is to keep, null = none
  std::vector<std::uint32_t> kept_tokens;  // its tokens, root first

  workspace& scratch;
  float_rows stream;                          // (T, D) the residual stream, in tree order
  float_rows hidden;                          // (n_layers + 1, S, D) the stream at the sites, layer by layer
  const rotary_table &rotary, &local_rotary;  // the second for layers with a window, maybe the same

 private:
  void start_keeping(const dlens_batch& batch, std::size_t token_floats);
};

// The rows that a block makes of the T that enter it: all of them, or fewer.
struct model::block_rows {
  float_rows stream;          // (rows, D): as they enter the block, to which it adds
  const query_rows& queries;  // their places in the tree
};

}  // namespace depthlens::cpu
