// SPDX-License-Identifier: Apache-2.0
// A bounded stack of readout rows: the rows of some sites, made from the residual stream, reduced over the
// whole vocabulary and written to the host's buffers. The result of a row does not depend on what else is in
// the stack.
#pragma once

#include "readout.hpp"

#include "depthlens/backend/row_plan.hpp"
#include "depthlens/backend/row_table.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace depthlens::cpu {

class readout_stack {
 public:
  // Makes the normed rows. Everything must outlive the stack.
  readout_stack(const readout_model& model, const readout_request& request, const row_plan<transport>& plan,
                row_range sites, workspace& scratch);

  std::span<const read_site> sites() const { return sites_; }
  // Takes the logits of the targets (site_targets of the sites) to the table, ahead of the tiles.
  void find_targets(row_table& table, std::span<const site_target> targets);
  // Reduces the logits of the stage's tiles into the table. True unless a tile has another value for a target
  // than the table had.
  bool run_tiles(const readout_stage& stage, row_table& table, std::span<const site_target> targets,
                 row_kind kind);

 private:
  void make_rows();
  void add_normed(const input_rows& states, bf16* rounded, float* floats);
  input_rows project(const input_rows& states);
  // states (sites, D) in the output space, in scratch.carried.
  input_rows carry(const transport& by, const input_rows& states);
  // Of at most targets_at_once targets.
  void gather_targets(row_table& table, std::span<const site_target> some);
  // logits (products, outputs): of some of the rows, with the bias (outputs), NULL = none, and capped.
  float_rows logits_of(row_range products, const packed_matrix& unembed, const float* bias);
  // fn(block) for the rows of the table that the logits of the products from `first` on belong to.
  template <class Function>
  void for_blocks(const float_rows& logits, std::size_t first, Function&& fn) const;

  const readout_model& model_;
  const readout_request& request_;
  const row_plan<transport>& plan_;
  const row_range range_;
  const std::span<const read_site> sites_;
  workspace& scratch_;
  const std::size_t width_;      // D
  const std::size_t embed_dim_;  // of the unembedding's rows
  // Rows of the table that differ by site; row = row of the plan * sites + site.
  const std::size_t n_varying_;
  const std::size_t n_products_;  // those, then each constant row once, for all sites
  input_rows rows_;               // (products, embed_dim), normed and projected
};

}  // namespace depthlens::cpu
