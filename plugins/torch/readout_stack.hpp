// SPDX-License-Identifier: Apache-2.0
// A bounded stack of readout rows: the rows of some sites, made from the residual stream, reduced over the
// whole vocabulary and written to the host's buffers.
#pragma once

#include "readout.hpp"
#include "reduce.hpp"

#include "depthlens/backend/row_plan.hpp"
#include "depthlens/backend/row_table.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace depthlens::torch_backend {

class readout_stack {
 public:
  // Sites first..first+n-1 of the request, which outlives the stack.
  readout_stack(const readout_model& model, readout_request& request, const row_plan<transport>& plan,
                std::size_t first, std::size_t n);

  // Finds the final top ids, takes all measures and writes them.
  void run();

 private:
  // Rows first..first+n-1 of the table, all of one kind, from the products first_product..; fewer products
  // than rows are each the row of all sites.
  struct part {
    std::int64_t first, n, first_product, n_products;
    row_kind kind;
  };
  // Logits (rows of the plan from plan_row on, places): of each place its own column in the rows of its site.
  struct picked_logits {
    std::size_t plan_row;
    std::vector<site_target> places;
    at::Tensor logits;
  };

  at::Tensor make_rows() const;
  // Logits (rows of the part, ids of the tile).
  at::Tensor logits(const part& of, const linear& tile) const;
  std::vector<top_entry> find_finals() const;
  // The logits of some of the targets, at most a tile's width.
  void find_targets(row_table& table, std::span<const site_target> places) const;
  part finals() const {
    return {.first = 0, .n = n_, .first_product = 0, .n_products = n_, .kind = row_kind::final};
  }
  std::vector<part> parts() const;
  // z (rows of a part, ids); first: of its rows; columns: of each place.
  picked_logits pick(const at::Tensor& z, std::int64_t first, std::span<const site_target> places,
                     const std::vector<std::int64_t>& columns) const;
  // As row_table::take_targets, from what was picked.
  static bool take(row_table& table, const picked_logits& picked);
  // True unless a tile has another value for a target than find_targets had.
  bool run_tiles(row_table& table, std::span<const site_target> places) const;

  const readout_model& model_;
  readout_request& request_;
  const row_plan<transport>& plan_;
  const std::int64_t first_, n_;  // of the sites
  const std::span<read_site> sites_;
  const std::int64_t tile_;       // ids of a tile
  const std::int64_t n_varying_;  // rows that differ by site; row = plan row * n + site
  at::Tensor rows_;               // (products, D): those, then each constant row once
};

}  // namespace depthlens::torch_backend
