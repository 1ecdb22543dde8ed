// SPDX-License-Identifier: Apache-2.0
// What the lenses read: rows (layer, position) of many reads go through the final norm and, tile by tile of
// the vocabulary, through the unembedding; each tile is reduced at once, and no row of logits is ever kept.
// Where not all tiles are in memory at once, what is known of every row waits for the next ones.
#pragma once

#include "lens.hpp"
#include "weights.hpp"

#include "depthlens/abi/backend.h"
#include "depthlens/backend/open_layers.hpp"
#include "depthlens/backend/read_sites.hpp"
#include "depthlens/backend/row_plan.hpp"
#include "depthlens/backend/row_table.hpp"

#include <ATen/ATen.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace depthlens::torch_backend {

struct readout_model {
  const model_weights& weights;
  double softcap;  // 0 = none
  std::uint32_t n_layers;
  at::Device device;
  std::size_t device_index;  // which of a lens's sets of transports
};

struct readout_request {
  const dlens_batch* batch;
  std::vector<read_site> sites;  // (P)
  // Layers 0..n, (P, D) float32; where final outputs of other sites stand for the sites' own, behind them the
  // states of those.
  const std::vector<at::Tensor>* hidden;
  std::uint32_t final_layer;  // in hidden, of the final outputs
  std::vector<const lens*> lenses;
  std::int32_t* final_top;                // (reads), may be NULL
  const dlens_readings* const* readings;  // one for each lens
};

// The readout of a pass, which goes through the stages of model_weights::readouts in order. Fills the
// readings and final_top when the last one is done.
class readout {
 public:
  // What the model and the request point to outlives it.
  readout(const readout_model& model, readout_request request);

  // Called again for a stage that threw for want of memory, it goes on where it was.
  void run(const readout_stage& stage, product_counter& products);
  const std::vector<read_site>& sites() const { return request_.sites; }

 private:
  // The sites first..first+n-1, and what is known of their rows when some tiles have gone by.
  struct open_stack {
    std::size_t first, n;
    std::unique_ptr<row_table> final_table;
    open_layers layers;
    const readout_stage *finals_done = nullptr,
                        *layers_done = nullptr;  // the last stage that it went through
  };

  void find_finals(const readout_stage& stage, open_stack& stack, product_counter& products);
  void read_stack(const readout_stage& stage, open_stack& stack, product_counter& products);

  readout_model model_;
  readout_request request_;
  const row_plan<transport> final_plan_;  // the final output alone
  row_plan<transport> plan_;              // rows of all lenses
  std::vector<top_entry> finals_;         // (P) largest logit and its id, once they are found
  std::vector<open_stack> stacks_;
};

}  // namespace depthlens::torch_backend
