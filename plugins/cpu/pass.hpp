// SPDX-License-Identifier: Apache-2.0
// One call of forward on its way through the blocks: what is asked, and where the states are.
// A path, the prefix that a pack continues, and what it keeps: see kept_path.hpp.
#pragma once

#include "model.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace depthlens::cpu {

struct model::pass {
  // Errors: those of make_token_tree; status::internal for a token to keep that is not in the pack.
  pass(const model& m, const dlens_batch& batch, workspace& space);

  // The stream at the sites as it enters block `layer`, (S, D); layer n is the output of the last block.
  float_rows states(std::uint32_t layer) const { return hidden.part({layer * sites.size(), sites.size()}); }

  std::shared_ptr<const kept_path> prefix;  // null = the pack continues nothing
  token_tree tree;
  std::vector<read_site> sites;            // (S) tokens at which reads fall; in tree order
  std::vector<std::uint32_t> site_tokens;  // (S) their places in the tree
  query_rows all_queries, site_queries;    // the queries of all T tokens; of the sites
  std::shared_ptr<kept_path> kept;         // null = nothing is to be kept
  std::vector<std::uint32_t> kept_tokens;  // places in the tree of the tokens it holds, ascending positions

  workspace& scratch;
  float_rows stream;                          // (T, D) the residual stream, in tree order
  float_rows hidden;                          // (n_layers + 1, S, D) the stream at the sites, layer by layer
  const rotary_table &rotary, &local_rotary;  // the second for layers with a window, maybe the same

 private:
  void start_keeping(const dlens_batch& batch, std::size_t token_floats);
};

// The rows that a block computes: those of all tokens, but in the last block of the sites alone. Keys and
// values are made of all tokens in every block, from pass::stream.
struct model::block_output {
  float_rows h;               // (rows, D) what enters the block; the block adds to it in place
  const query_rows& queries;  // (rows) of the same tokens
};

}  // namespace depthlens::cpu
