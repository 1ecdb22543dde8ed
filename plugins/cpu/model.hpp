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
#include "depthlens/backend/work_counters.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::cpu {

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

 private:
  struct block_call;    // a call's work on a pass
  struct block_output;  // the rows that a block computes

  // pass.cpp: the way through the stages; make_info is in model.cpp.
  void embed(pass& p, workspace& scratch) const;
  void enter_block(block_call& call, std::uint32_t layer) const;
  void read_stage(pass& p, const readout_stage& stage, workspace& scratch) const;
  void copy_hidden(const pass& p) const;
  void make_info();
  std::size_t q_width() const { return std::size_t{arch_.n_heads} * arch_.head_dim; }
  std::size_t kv_width() const { return 2 * std::size_t{arch_.n_kv_heads} * arch_.head_dim; }

  // block.cpp: one layer.
  void run_block(block_call& call, std::uint32_t layer, const block_output& out) const;
  void project(block_call& call, std::uint32_t layer, const block_output& out, const float_rows& kv,
               const float_rows& q) const;
  void turn(const float_rows& rows, std::size_t n_heads, const norm_weights& norm, const rotary_table& angles,
            const std::int32_t* position, float scale) const;
  input_rows normed(const norm_weights& norm, const float_rows& h, workspace& scratch) const;
  input_rows inner_values(const block_weights& w, const input_rows& x, workspace& scratch) const;
  void add_product(const linear& map, const input_rows& in, const norm_weights& post_norm,
                   const float_rows& h, workspace& scratch) const;
  void keep_tokens(block_call& call, std::uint32_t layer, const float_rows& kv) const;

  dlens_architecture arch_;
  architecture_tables tables_;
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
