// SPDX-License-Identifier: Apache-2.0
// A pack on its way through the model: what is asked, and where its states are from stage to stage; and one
// call's work on it.
#pragma once

#include "chunk_paths.hpp"
#include "heads.hpp"
#include "model.hpp"
#include "readout.hpp"

#include "depthlens/backend/choice_rows.hpp"
#include "depthlens/backend/pack_edits.hpp"
#include "depthlens/backend/token_tree.hpp"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace depthlens::torch_backend {

// Takes the replica with the fewest tokens under way, and gives it back.
class model::replica_use {
 public:
  replica_use(const model& of, std::uint32_t tokens);
  ~replica_use();
  replica_use(const replica_use&) = delete;
  replica_use& operator=(const replica_use&) = delete;

  const replica& taken() const { return replica_; }

 private:
  const model& of_;
  const std::uint64_t tokens_;
  const replica& replica_;
};

// While it lives, this thread computes on a device, on a stream of its own.
class model::device_call {
 public:
  explicit device_call(at::Device device);

 private:
  const c10::InferenceMode guard_;
  const own_stream stream_;
};

struct model::pass {
  // Embeds the tokens, if anything is read. The batch and the buffers behind final_top and readings outlive
  // the pass. Errors: those of make_token_tree; status::internal where a path is to be kept or continued.
  pass(const model& m, const replica& on, const dlens_batch& batch, std::vector<const lens*> lenses,
       std::int32_t* final_top, const dlens_readings* const* readings);

  bool is_needed() const { return !site_tokens.empty(); }
  // The rows of the sites, of a tensor with one for each token, (P, D).
  at::Tensor at_sites(const at::Tensor& rows) const { return rows.index_select(0, site_index); }

  std::unique_ptr<replica_use> use;  // where it lives longer than a call
  const replica& on;
  const dlens_batch& batch;
  const token_tree tree;
  const choice_rows choices;  // of the routers at the reads
  const pack_edits edits;
  std::vector<std::int64_t> site_tokens;        // (P) places in the tree of the tokens at which reads fall
  at::Tensor site_index;                        // the same, on the device
  at::Tensor stream;                            // (T, D) float32 the residual stream, in tree order
  at::Tensor layer_inputs;                      // (T, n_layers, P) float32, undefined where there are none
  std::map<std::uint32_t, keys_values> shared;  // by block, of those that blocks to come take
  std::vector<at::Tensor> hidden;  // (n_layers + 1) of (P, D) float32, those of layers that were run
  // (P) the site whose final output stands for each one's own, on the device; undefined where none does. Then
  // `hidden` has those states too, behind layer n.
  at::Tensor finals;
  std::uint32_t layers_run = 0;     // blocks that the stream has gone through
  std::uint32_t layers_edited = 0;  // blocks before which it has been changed as `edits` says
  std::optional<readout> read;      // of the sites, if there are any
};

// What a call needs besides to take a pass through blocks first..end-1.
struct model::block_call {
  block_call(const model& m, pass& p, std::uint32_t first, std::uint32_t end);

  // Of a block's rotary positions, of all tokens.
  const rope_angles& angles(const block_shape& shape) const;
  const chunk_paths& paths();

  pass& p;
  std::vector<rope_angles> ropes;      // of each rope_table
  std::optional<made_rows> all, read;  // of every block but the last; of the last one
  std::optional<keys_values> made_kv;  // by the block at work, where later ones take them
  product_counter products;

 private:
  std::optional<chunk_paths> paths_;  // made for the first block that asks
};

}  // namespace depthlens::torch_backend
