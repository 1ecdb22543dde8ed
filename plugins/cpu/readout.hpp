// SPDX-License-Identifier: Apache-2.0
// Reads lenses at positions: rows (position, layer) are stacked, normed, multiplied with one tile of the
// unembedding after the other, and each tile of logits is reduced while it is in the cache (reduce.hpp).
// Nothing of size V is kept for a row. Where not all tiles are in memory at once, what is known of every row
// waits for the next ones. Bias and soft cap are part of a logit from the start.
//
// Logits that are not finite: a NaN target has rank V and 0 ties; NaNs are passed over by rank and top-k
// (which is filled up with the smallest ids left); logprob, entropy and kl of a row are NaN where a sum is
// not defined. Accuracy of logprob, entropy and kl for given logits: within 2e-6 absolute + 1e-6 relative of
// double precision.
#pragma once

#include "kernels/kernels.hpp"
#include "lens.hpp"
#include "weights.hpp"
#include "workspace.hpp"

#include "depthlens/abi/backend.h"
#include "depthlens/backend/open_layers.hpp"
#include "depthlens/backend/read_sites.hpp"
#include "depthlens/backend/row_plan.hpp"
#include "depthlens/backend/row_table.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace depthlens::cpu {

struct readout_request {
  const dlens_batch* batch;
  std::vector<read_site> sites;  // (S) in the order of the rows of hidden
  // (n_layers + 1, S, D), floats; (n_layers + 2, S, D) where final outputs of other sites stand for the
  // sites' own, whose states come last
  input_rows hidden;
  std::uint32_t final_layer;  // in hidden, of the final outputs
  std::vector<const lens*> lenses;
  std::int32_t* final_top;                // (P) or NULL
  const dlens_readings* const* readings;  // one for each lens
};

struct readout_model {
  const model_weights& weights;
  const kernel_table& kernels;
  std::uint32_t n_layers;
  float softcap;                     // of the logits; 0 = none
  const matmul_shape& target_shape;  // (D, targets_at_once)
};

// The logits of targets are computed before those of all tokens, which are counted against them: so many
// targets in one product.
constexpr std::size_t targets_at_once = 64;

constexpr std::size_t stack_rows = 1024;  // of a stack: rows that are normed and then multiplied together
constexpr std::size_t logit_rows = 128;   // whose logits of one tile stay in a second-level cache

// The readout of a pass, which goes through the stages of model_weights::readouts in order. Fills the
// readings and final_top when the last one is done. Call within run_single_threaded.
class readout {
 public:
  // What the model and the request point to outlives it.
  readout(const readout_model& model, readout_request request);

  void run(const readout_stage& stage, workspace& scratch);
  const std::vector<read_site>& sites() const { return request_.sites; }

 private:
  void find_finals(const readout_stage& stage, row_range sites, workspace& scratch);
  void read_stack(const readout_stage& stage, row_range sites, open_layers& open, workspace& scratch);

  readout_model model_;
  readout_request request_;
  const row_plan<transport> final_plan_;  // the final output alone
  row_plan<transport> plan_;              // rows of all lenses
  std::vector<top_entry> finals_;         // (S) largest logit and its id, once they are found
  // Of every stack, what is known when some tiles have gone by.
  std::vector<std::unique_ptr<row_table>> final_tables_;
  std::vector<open_layers> stacks_;
};

}  // namespace depthlens::cpu
