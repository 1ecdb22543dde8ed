// SPDX-License-Identifier: Apache-2.0
// The model on libtorch: a decoder made of the parts that dlens_architecture describes, over a pack of
// tokens, and the readout of lenses. One copy of the weights on each device; a call takes the copy with the
// fewest calls in flight.
#pragma once

#include "attention.hpp"
#include "device_room.hpp"
#include "lens.hpp"
#include "readout.hpp"
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
  // Errors: status::data for weights that do not fit the architecture, status::unavailable for a device or
  // precision that cannot be had.
  model(const dlens_weights& weights, const dlens_model_options& options);

  const dlens_model_info& info() const { return info_; }
  lens make_lens(std::uint64_t n, const dlens_transport* const* transports) const;
  // See dlens_model.forward. Thread-safe.
  void forward(const dlens_batch& batch, const std::vector<const lens*>& lenses, std::int32_t* final_top,
               const dlens_readings* const* readings) const;
  // For training, on the first device: layers 0..n of the distinct tokens that the batch reads, (P, D)
  // float32 each, made in inference mode, by as many threads as libtorch has been told.
  std::vector<at::Tensor> states(const dlens_batch& batch) const;
  const model_weights& weights() const { return replicas_[0]->weights; }
  const dlens_architecture& arch() const { return arch_; }
  // What the calls of forward have done so far. Thread-safe.
  const work_counters& work() const { return work_; }
  // See dlens_model.product_rate; of all devices together.
  double product_rate(std::string_view form, std::uint32_t threads, double seconds) const;

 private:
  struct replica {
    at::Device device;
    model_weights weights;
    at::Tensor inverse_frequency, local_inverse_frequency;  // (rope_dims / 2)
    std::size_t index;                                      // of it among all
    mutable int in_flight = 0;                              // calls, guarded by in_flight_guard_
    mutable device_room room;
  };
  class replica_use;  // by one call
  struct pass;        // of one call through the blocks
  struct block_rows;  // what a block makes

  void make_info(std::uint32_t threads);
  void forward_on(const replica& on, const dlens_batch& batch, const token_tree& tree,
                  const std::vector<const lens*>& lenses, std::int32_t* final_top,
                  const dlens_readings* const* readings) const;
  attention_shape make_attention_shape() const;
  bool is_local(std::uint32_t layer) const { return tables_.window(layer) != 0; }
  pass run_blocks(const replica& on, const token_tree& tree, const std::vector<read_site>& sites) const;
  void copy_hidden(const pass& p, const std::vector<read_site>& sites, const dlens_batch& batch) const;
  at::Tensor embed(const pass& p) const;
  void run_block(pass& p, std::uint32_t layer, const block_rows& made) const;
  at::Tensor attention(pass& p, std::uint32_t layer, const at::Tensor& x, const at::Tensor& x_queries,
                       const block_rows& made) const;
  at::Tensor feed_forward(pass& p, const block_weights& block, const at::Tensor& x) const;
  at::Tensor turn(const at::Tensor& heads, const at::Tensor& cosine, const at::Tensor& sine) const;
  at::Tensor activate(const at::Tensor& x) const;

  dlens_architecture arch_;
  architecture_tables tables_;
  attention_shape attention_shape_;
  at::ScalarType type_ = at::kFloat;
  std::vector<std::unique_ptr<replica>> replicas_;
  mutable std::mutex in_flight_guard_;
  mutable work_counters work_;
  std::string device_text_, weights_text_;
  dlens_model_info info_;
};

}  // namespace depthlens::torch_backend
