// SPDX-License-Identifier: Apache-2.0
// A bounded stack of readout rows: the rows of some sites, made from the residual stream, reduced over the whole
// vocabulary and written to the host's buffers.
#pragma once

#include "readout.hpp"
#include "reduce.hpp"

#include <cstdint>
#include <vector>

namespace depthlens::torch_backend {

struct planned_row {
  std::uint32_t layer;
  const transport* carry;  // nullptr = identity
};

// The rows of every site. Row 0 is the model's final output.
struct row_plan {
  std::vector<planned_row> rows;
  std::vector<std::vector<std::size_t>> row_of_lens;  // [lens][layer of the lens] -> row
  bool wants_kl = false;
};

class readout_stack {
 public:
  readout_stack(const readout_model& model, const readout_request& request, const row_plan& plan,
                std::int64_t first, std::int64_t n);

  // Finds the final top ids, takes all measures and writes them.
  void run();

 private:
  at::Tensor make_rows() const;
  // Logits (rows, ids) of the given rows of the unembedding (ids, D), bias (ids) or undefined.
  at::Tensor logits(const at::Tensor& rows, const at::Tensor& unembed, const at::Tensor& bias) const;
  void reset(const std::vector<top_entry>& finals);
  void find_finals(std::vector<top_entry>& finals);
  void find_targets();
  // True unless a tile has another value for a target than find_targets had.
  bool run_tiles();
  bool check_targets(const at::Tensor& z, std::int64_t first_row, std::int64_t first_id);
  void complete_top(row_state& row) const;
  void write() const;
  void write_targets(std::int64_t i, std::size_t lens, std::size_t layer) const;
  void write_row(std::int64_t i, std::size_t lens, std::size_t layer) const;

  const site& site_at(std::int64_t i) const { return request_.sites[static_cast<std::size_t>(first_ + i)]; }
  const row_state& state_of(std::int64_t i, std::size_t lens, std::size_t layer) const {
    return table_
        .states[plan_.row_of_lens[lens][layer] * static_cast<std::size_t>(n_) + static_cast<std::size_t>(i)];
  }

  const readout_model& model_;
  const readout_request& request_;
  const row_plan& plan_;
  const std::int64_t first_, n_;                    // of the sites
  const std::int64_t tile_;                         // ids of a tile
  at::Tensor rows_;                                 // (plan rows * n, D), row = plan row * n + site
  std::vector<std::vector<std::int32_t>> targets_;  // of each site, -1 replaced
  row_table table_;
};

}  // namespace depthlens::torch_backend
