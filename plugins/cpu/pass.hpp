// SPDX-License-Identifier: Apache-2.0
// A pack on its way through the model: what is asked, and where its states are from stage to stage; and one
// call's work on it. A path, the prefix that a pack continues, and what it keeps: see kept_path.hpp.
#pragma once

#include "attention.hpp"
#include "kept_path.hpp"
#include "model.hpp"
#include "readout.hpp"
#include "workspace.hpp"

#include "depthlens/backend/choice_rows.hpp"
#include "depthlens/backend/pack_edits.hpp"
#include "depthlens/backend/token_tree.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace depthlens::cpu {

// Keys and values of a block that later ones take too, of the pack and of the positions ahead of it.
struct shared_kv {
  float_buffer own;     // (T, width)
  float_buffer prefix;  // (n_prefix, width)
  std::size_t n = 0, width = 0;

  void set(const float_rows& rows, const std::vector<kept_rows>& kept, std::uint32_t n_prefix) {
    n = rows.n, width = rows.width;
    std::copy_n(rows.data, n * width, own.reserve_raw(n * width));
    float* const to = prefix.reserve_raw(n_prefix * width);
    for (const kept_rows& piece : kept)
      std::copy_n(piece.rows, (piece.end - piece.begin) * width, to + piece.begin * width);
  }
  float_rows own_rows() { return {own.data(), n, width}; }
};

struct model::pass {
  // Embeds the tokens, where anything is read or kept. The batch and the buffers behind final_top and
  // readings outlive the pass. `room` is memory for the states, perhaps of an earlier pass. Errors: those of
  // make_token_tree; status::internal for a token to keep that is not in the pack.
  pass(const model& m, const dlens_batch& batch, std::vector<const lens*> lenses, std::int32_t* final_top,
       const dlens_readings* const* readings, state_room room, workspace& scratch);

  // The stream at the sites as it enters block `layer`, (S, D); layer n is the output of the last block.
  float_rows states(std::uint32_t layer) const { return hidden.part({layer * n_sites, n_sites}); }
  bool is_needed() const { return n_sites > 0 || !kept_tokens.empty(); }

  const dlens_batch& batch;
  token_tree tree;
  const choice_rows choices;  // of the routers at the reads
  const pack_edits edits;
  std::size_t n_sites = 0;                 // S, in tree order
  std::vector<std::uint32_t> site_tokens;  // (S) places in the tree of the tokens at which reads fall
  query_rows all_queries, site_queries;    // the queries of all T tokens; of the sites
  std::vector<std::uint32_t>
      kept_tokens;  // places of those to be kept, ascending positions; empty = none are

  state_room room;
  float_rows stream;                          // (T, D) the residual stream, in tree order
  float_rows hidden;                          // (n_layers + 1, S, D) the stream at the sites, layer by layer
  std::vector<std::uint32_t> finals;          // (S) as pack_edits says it; then hidden has their states too
  std::uint32_t layers_run = 0;               // blocks that the stream has gone through
  std::map<std::uint32_t, shared_kv> shared;  // by block
  std::optional<readout> read;                // of the sites, if there are any
};

// What a call needs besides to take a pass through blocks first..end-1.
struct block_call {
  block_call(const model& m, model::pass& p, std::uint32_t first, std::uint32_t end,
             std::shared_ptr<const kept_path> path, workspace& space);

  // is_long: the token's dlens_batch.rope_long.
  const rotary_table& angles(std::size_t rope, bool is_long) const {
    return is_long ? scratch.long_rotary[rope] : scratch.rotary[rope];
  }
  std::size_t slot(std::uint32_t layer) const { return layer - kept->first_layer; }

  model::pass& p;
  workspace& scratch;
  std::shared_ptr<const kept_path> prefix;  // in these blocks; null = the pack continues nothing
  std::shared_ptr<kept_path> kept;          // in these blocks; null = nothing is to be kept
};

}  // namespace depthlens::cpu
