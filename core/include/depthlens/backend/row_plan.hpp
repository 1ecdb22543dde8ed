// SPDX-License-Identifier: Apache-2.0
// For backends: which rows of logits the lenses of a call need at every site, each once. What carries a layer
// to the output space is the backend's own type `Transport`, with members `layer`, `is_identity()` and
// `is_constant()`.
#pragma once

#include "depthlens/abi/backend.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace depthlens {

template <class Transport>
struct planned_row {
  std::uint32_t layer;
  const Transport* transport;  // nullptr = identity
};

// The rows of every site. Row 0 is the model's final output, or that of another site which stands for it.
template <class Transport>
struct row_plan {
  std::vector<planned_row<Transport>> rows;
  std::vector<std::vector<std::size_t>> row_of_lens;  // [lens][layer of the lens] -> row
  bool wants_kl = false;
  std::size_t n_constant = 0;  // the last rows, which are the same at every site
};

// lenses: of each, its layers in ascending order; readings: one for each lens. final_layer: the one whose
// states give row 0: n_layers, or n_layers + 1 where those of other sites stand for the sites' own.
template <class Transport>
row_plan<Transport> plan_rows(std::uint32_t n_layers, std::uint32_t final_layer,
                              const std::vector<std::span<const Transport>>& lenses,
                              const dlens_readings* const* readings) {
  row_plan<Transport> plan;
  plan.rows.push_back({final_layer, nullptr});
  struct constant_row {
    std::size_t lens, index;
    const Transport* transport;
  };
  std::vector<constant_row> constant;
  std::vector<std::size_t> plain(n_layers + 1, 0);  // layer -> its row without a transport; 0 = none yet
  for (std::size_t l = 0; l < lenses.size(); ++l) {
    std::vector<std::size_t>& rows = plan.row_of_lens.emplace_back();
    for (const Transport& t : lenses[l]) {
      if (t.is_constant()) {
        constant.push_back({l, rows.size(), &t});
        rows.push_back(0);
        continue;
      }
      const bool identity = t.is_identity();
      if (identity && (t.layer == final_layer || plain[t.layer] != 0)) {
        rows.push_back(plain[t.layer]);
        continue;
      }
      if (identity) plain[t.layer] = plan.rows.size();
      rows.push_back(plan.rows.size());
      plan.rows.push_back({t.layer, identity ? nullptr : &t});
    }
    plan.wants_kl |= readings[l]->kl != nullptr;
  }
  for (const constant_row& c : constant) {
    plan.row_of_lens[c.lens][c.index] = plan.rows.size();
    plan.rows.push_back({c.transport->layer, c.transport});
  }
  plan.n_constant = constant.size();
  return plan;
}

}  // namespace depthlens
