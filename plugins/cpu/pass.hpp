// SPDX-License-Identifier: Apache-2.0
// A pack on its way through the model: what is asked, and where its states are from stage to stage; and one
// call's work on it.
#pragma once

#include "attention.hpp"
#include "kept_path.hpp"
#include "model.hpp"
#include "readout.hpp"
#include "workspace.hpp"

#include "depthlens/backend/token_tree.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace depthlens::cpu {

struct model::pass {
  // Embeds the tokens. The batch and the buffers behind final_top and readings outlive the pass. `room` is
  // memory for the states, perhaps of an earlier pass. Errors: those of make_token_tree; status::internal for
  // a token to keep that is not in the pack.
  pass(const model& m, const dlens_batch& batch, std::vector<const lens*> lenses, std::int32_t* final_top,
       const dlens_readings* const* readings, state_room room, workspace& scratch);

  // Where the sites' states of a layer are kept, (S, D).
  float_rows states(std::uint32_t layer) const { return hidden.part({layer * n_sites, n_sites}); }
  bool is_needed() const { return n_sites > 0 || !kept_tokens.empty(); }

  const dlens_batch& batch;
  token_tree tree;
  std::size_t n_sites = 0;                 // S tokens that are read, by one read or more; in tree order
  std::vector<std::uint32_t> read_tokens;  // of the sites
  query_rows all, reads;                   // all tokens; those of the sites
  std::vector<std::uint32_t> kept_tokens;  // of the path that the pack is to keep, root first; or none

  state_room room;
  float_rows stream;             // (T, D) the residual stream, in tree order
  float_rows hidden;             // (n_layers + 1, S, D) the stream at the sites, layer by layer
  std::uint32_t layers_run = 0;  // blocks that the stream has gone through
  std::optional<readout> read;   // of the sites, if there are any
};

// What a call needs besides to take a pass through blocks first..end-1.
struct model::block_call {
  block_call(const model& m, pass& p, std::uint32_t first, std::uint32_t end,
             std::shared_ptr<const kept_path> continued, workspace& space);

  pass& p;
  workspace& scratch;
  const rotary_table &rotary, &local_rotary;   // the second for layers with a window, maybe the same
  std::shared_ptr<const kept_path> continued;  // path, of these blocks, that the pack continues; null = none
  std::shared_ptr<kept_path> kept;             // path, of these blocks, that the pack keeps; null = none
};

// The rows that a block makes of the T that enter it: all of them, or those that are read.
struct model::block_rows {
  float_rows stream;          // (rows, D): as they enter the block, to which it adds
  const query_rows& queries;  // their places in the tree
};

}  // namespace depthlens::cpu
