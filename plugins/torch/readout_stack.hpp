// SPDX-License-Identifier: Apache-2.0
// A bounded stack of readout rows: the rows of some sites, made from the residual stream, and reduced over
// the tiles of the vocabulary that are there.
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
  // Sites first..first+n-1 of the request. Everything outlives the stack.
  readout_stack(const readout_model& model, const readout_request& request, const row_plan<transport>& plan,
                std::size_t first, std::size_t n, product_counter& products);

  std::span<const read_site> sites() const { return sites_; }
  // Takes the logits of the targets (site_targets of the sites) to the table, ahead of the tiles, which are
  // made as this one.
  void find_targets(row_table& table, std::span<const site_target> targets, const linear& like) const;
  // Reduces the logits of the stage's tiles into the table, which is left as it was where this throws. kind:
  // top_only for a stack of final outputs alone, else layer. True unless a tile has another value for a
  // target than the table had.
  bool run_tiles(const readout_stage& stage, row_table& table, std::span<const site_target> targets,
                 row_kind kind) const;

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
  // Of some of the targets, at most a tile's width.
  void gather_targets(row_table& table, std::span<const site_target> places, const linear& like) const;
  // The parts of the rows, of which the first is of final outputs.
  std::vector<part> parts(row_kind kind) const;
  // z (rows of a part, ids); first: of its rows; columns: of each place.
  picked_logits pick(const at::Tensor& z, std::int64_t first, std::span<const site_target> places,
                     const std::vector<std::int64_t>& columns) const;
  // As row_table::take_targets, from what was picked.
  static bool take(row_table& table, const picked_logits& picked);

  const readout_model& model_;
  const readout_request& request_;
  const row_plan<transport>& plan_;
  product_counter& products_;
  const std::int64_t first_, n_;  // of the sites
  const std::span<const read_site> sites_;
  const std::int64_t n_varying_;  // rows that differ by site; row = plan row * n + site
  at::Tensor rows_;               // (products, embed_dim): those, then each constant row once
};

}  // namespace depthlens::torch_backend
