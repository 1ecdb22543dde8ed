// SPDX-License-Identifier: Apache-2.0
// What the lenses read: rows (layer, position) of many reads go through the final norm and, tile by tile of
// the vocabulary, through the unembedding; each tile is reduced at once, and no row of logits is ever kept.
#pragma once

#include "lens.hpp"
#include "weights.hpp"

#include "depthlens/abi/backend.h"
#include "depthlens/backend/read_sites.hpp"

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace depthlens::torch_backend {

struct readout_model {
  const model_weights& weights;
  double softcap;  // 0 = none
  std::uint32_t n_layers;
  std::size_t device_index;  // which of a lens's sets of transports
  product_counter& products;
};

struct readout_request {
  const dlens_batch* batch;
  std::vector<read_site> sites;           // (P)
  const std::vector<at::Tensor>& hidden;  // layers 0..n, (P, D) float32
  const std::vector<const lens*>& lenses;
  std::int32_t* final_top;                // (reads), may be NULL
  const dlens_readings* const* readings;  // one for each lens
};

// Fills the readings and final_top.
void read_out(const readout_model& model, readout_request& request);

}  // namespace depthlens::torch_backend
