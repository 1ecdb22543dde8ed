// SPDX-License-Identifier: Apache-2.0
// The model on libtorch: a decoder made of the parts that dlens_architecture describes, over a pack of
// tokens, and the readout of lenses. One copy of the weights on each device; a pack goes to the copy with the
// fewest tokens under way.
#pragma once

#include "block_work.hpp"
#include "device.hpp"
#include "device_room.hpp"
#include "lens.hpp"
#include "output_loss.hpp"
#include "readout.hpp"
#include "stages.hpp"
#include "weights.hpp"

#include "depthlens/abi/backend.h"
#include "depthlens/backend/checked_architecture.hpp"
#include "depthlens/backend/work_counters.hpp"

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::torch_backend {

class model {
 public:
  struct pass;  // a pack on its way through the stages

  // Errors: status::data for weights that do not fit the architecture, status::unavailable for a device or
  // precision that cannot be had.
  model(const dlens_weights& weights, const dlens_model_options& options);

  // See dlens_backend.needs.
  static dlens_model_needs needs(const dlens_weights& weights, const dlens_model_options& options);

  const dlens_model_info& info() const { return info_; }
  lens make_lens(std::uint64_t n, const dlens_transport* const* transports) const;
  // See dlens_model.forward. Thread-safe.
  void forward(const dlens_batch& batch, const std::vector<const lens*>& lenses, std::int32_t* final_top,
               const dlens_readings* const* readings) const;
  // What the calls of forward have done so far. Thread-safe.
  const work_counters& work() const { return work_; }
  // See dlens_model.product_rate; of all devices together.
  double product_rate(std::string_view form, std::uint32_t threads, double seconds) const;

  // The functions of dlens_model for streamed weights. Thread-safe.
  bool is_streamed() const { return stages_->streamed(); }
  std::uint32_t stage_parts(std::uint32_t stage) const;
  void load_stage(std::uint32_t stage, std::uint32_t part) const;
  std::unique_ptr<pass> begin_pass(const dlens_batch& batch, const std::vector<const lens*>& lenses,
                                   std::int32_t* final_top, const dlens_readings* const* readings) const;
  void run_pass(pass& p, std::uint32_t stage, const dlens_prefix* prefix, dlens_prefix** kept) const;

  // For training, with held weights, on the first device: layers 0..n of the distinct tokens that the batch
  // reads, (P, D) float32 each, made in inference mode, by as many threads as libtorch has been told.
  std::vector<at::Tensor> states(const dlens_batch& batch) const;
  // What makes logits of normed states, out_projection multiplied in: (V, D) of the weights' type, on the
  // first device; a copy.
  unembedding make_unembedding(std::uint32_t threads) const;
  const model_weights& weights() const { return stages_->weights(0); }
  const dlens_architecture& arch() const { return arch_.all; }

 private:
  friend class jacobian;
  struct replica {
    at::Device device;
    std::size_t index;  // of it among all
    const model_weights& weights;
    std::vector<at::Tensor> inverse_frequencies{}, long_frequencies{};  // of each rope_table
    mutable std::uint64_t tokens = 0;  // under way, guarded by under_way_guard_
    mutable device_room room{};
  };
  class replica_use;  // by one pack
  class device_call;  // a thread at work on a device
  struct block_call;  // a call's work on a pass

  void make_info(const dlens_weights& weights, const dlens_model_options& options);

  // pass.cpp: the way through the stages.
  at::Tensor embed(const pass& p) const;
  at::Tensor make_layer_inputs(const pass& p) const;
  void enter_block(block_call& call, std::uint32_t layer) const;
  void edit_states(pass& p, std::uint32_t layer) const;
  void read_stage(pass& p, std::uint32_t number, product_counter& products) const;
  void copy_hidden(const pass& p) const;

  // block.cpp: one layer.
  at::Tensor run_block(block_call& call, std::uint32_t layer, const made_rows& made) const;
  at::Tensor mix(block_call& call, std::uint32_t layer, const at::Tensor& x, const at::Tensor& x_rows,
                 const made_rows& made) const;
  at::Tensor layer_input(block_call& call, std::uint32_t layer, const at::Tensor& h,
                         const made_rows& made) const;
  block_work work_of(block_call& call, std::uint32_t layer) const;
  // What a router chose of each row made: ids, weights (rows, n_used), and its logits (rows, E).
  struct router_choice {
    const at::Tensor &ids, &weights, &logits;
  };
  void put_choices(const pass& p, std::uint32_t layer, const made_rows& made, const router_choice& of) const;

  owned_architecture arch_;
  std::vector<at::Device> devices_;
  precision form_;
  std::unique_ptr<weight_stages> stages_;
  std::vector<std::unique_ptr<replica>> replicas_;
  mutable std::mutex under_way_guard_;
  mutable work_counters work_;
  std::string device_text_, weights_text_;
  dlens_model_info info_;
};

}  // namespace depthlens::torch_backend
