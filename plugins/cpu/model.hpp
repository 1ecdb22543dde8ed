// SPDX-License-Identifier: Apache-2.0
// The model on the CPU: a decoder made of the parts that dlens_architecture describes, over a pack of tokens,
// and the readout of lenses. With precision bf16 the weights of its linear maps and the unembedding, and what
// they are multiplied with, are rounded to bf16; all else is float32: sums, the residual stream, norms,
// attention, logits, lenses.
#pragma once

#include "kernels/kernels.hpp"
#include "lens.hpp"
#include "matmul.hpp"
#include "stages.hpp"
#include "workspace.hpp"

#include "depthlens/abi/backend.h"
#include "depthlens/backend/checked_architecture.hpp"
#include "depthlens/backend/token_tree.hpp"
#include "depthlens/backend/work_counters.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::cpu {

struct block_call;  // a call's work on a pass

class model {
 public:
  struct pass;  // a pack on its way through the stages

  // Errors: status::data for weights that do not fit the architecture, status::unavailable for a device or
  // precision that this backend does not have.
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
  // See dlens_model.product_rate.
  double product_rate(std::string_view form, std::uint32_t threads, double seconds) const;

  // The functions of dlens_model for streamed weights. Thread-safe.
  bool is_streamed() const { return stages_.streamed(); }
  std::uint32_t stage_parts(std::uint32_t stage) const;
  void load_stage(std::uint32_t stage, std::uint32_t part) const;
  std::unique_ptr<pass> begin_pass(const dlens_batch& batch, const std::vector<const lens*>& lenses,
                                   std::int32_t* final_top, const dlens_readings* const* readings) const;
  void run_pass(pass& p, std::uint32_t stage, const dlens_prefix* prefix, dlens_prefix** kept) const;

  // For what takes a pass through a block.
  const owned_architecture& arch() const { return arch_; }
  const model_weights& weights() const { return weights_; }
  const kernel_table& kernels() const { return kernels_; }
  precision held() const { return precision_; }
  // h (up to matmul_shape::max_rows, D): what enters block 0 of these tokens, by place in the tree.
  void embed_rows(const token_tree& tree, std::span<const std::uint32_t> tokens, const float_rows& h,
                  workspace& scratch) const;
  // An expert's weights are in memory when it returns.
  void need_expert(std::uint32_t layer, std::size_t number, workspace& scratch) const;

 private:
  // pass.cpp: the way through the stages; make_info is in model.cpp.
  void enter_block(block_call& call, std::uint32_t layer) const;
  void edit_states(pass& p, std::uint32_t layer, workspace& scratch) const;
  void read_stage(pass& p, const readout_stage& stage, workspace& scratch) const;
  void copy_hidden(const pass& p) const;
  void make_info();

  owned_architecture arch_;
  const kernel_table& kernels_;
  const precision precision_;  // what weights and the inputs of products are rounded to
  mutable matmul_shapes shapes_;
  mutable weight_stages stages_;  // loaded again and again where they are streamed
  const model_weights& weights_;
  mutable workspace_pool pool_;
  mutable work_counters work_;
  std::string device_text_, weights_text_;
  dlens_model_info info_;
};

}  // namespace depthlens::cpu
