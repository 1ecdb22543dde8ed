// SPDX-License-Identifier: Apache-2.0
// For backends: the layers of a stack of sites on their way through the stages of the unembedding, all tiles
// in one or some in each. What is known of every row waits for the next tiles.
//
// A stage says with `first` and `last` where its tiles lie in the vocabulary, and with `again` that the
// layers are gone through once more, for stacks that were reduced against other values of their targets.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/backend/row_table.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace depthlens {

struct open_layers {
  std::unique_ptr<row_table> table;
  bool as_expected = true;  // every tile had the values of the targets that they are ranked by
};

struct layer_readings {
  const dlens_batch* batch;
  const dlens_readings* const* readings;  // one for each lens
  std::size_t vocabulary;                 // V
};

// Takes the stack through a stage; at the last one its readings are written. finals: of its sites. plan: a
// row_plan. find_targets(table, targets): the targets' logits ahead of the tiles. stack.run_tiles(stage,
// table, targets, kind): reduces the stage's tiles; false where one had other values of the targets.
template <class Stage, class Stack, class Plan, class FindTargets>
void read_layers(const Stage& stage, Stack& stack, const Plan& plan, const layer_readings& to,
                 std::span<const top_entry> finals, const FindTargets& find_targets, open_layers& open) {
  const std::vector<site_target> targets = site_targets(stack.sites());
  if (stage.first && !stage.again) {
    open.table = std::make_unique<row_table>(stack.sites(), plan.rows.size(), to.batch->top_k, finals);
    find_targets(*open.table, targets);
  } else if (stage.first) {
    open.table->restart(finals);
  }
  open.as_expected &= stack.run_tiles(stage, *open.table, targets, row_kind::layer);
  if (!stage.last) return;
  if (!open.as_expected && !stage.again) {
    // The tiles' own values of the targets are known by now: count again, against them.
    if (!stage.first) return;
    open.table->restart(finals);
    stack.run_tiles(stage, *open.table, targets, row_kind::layer);
  }
  open.table->write(*to.batch, stack.sites(), to.vocabulary, plan.row_of_lens, to.readings);
  open.table.reset();
}

}  // namespace depthlens
