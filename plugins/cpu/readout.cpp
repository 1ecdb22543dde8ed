// SPDX-License-Identifier: Apache-2.0
#include "readout.hpp"

#include "readout_stack.hpp"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

namespace depthlens::cpu {

namespace {

row_plan<transport> plan_of(const readout_model& model, const readout_request& request) {
  std::vector<std::span<const transport>> lenses;
  for (const lens* l : request.lenses) lenses.emplace_back(l->layers);
  return plan_rows(model.n_layers, lenses, request.readings);
}

}  // namespace

readout::readout(const readout_model& model, readout_request request)
    : model_(model),
      request_(std::move(request)),
      final_plan_{.rows = {{model.n_layers, nullptr}}, .row_of_lens = {}},
      plan_(plan_of(model_, request_)),
      finals_(request_.sites.size()) {}

void readout::run(const readout_stage& stage, workspace& scratch) {
  const std::size_t S = request_.sites.size();
  if (stage.finals) {
    if (stage.first) final_stacks_.resize(n_chunks(S, stack_rows));
    for_chunks(S, stack_rows, [&](row_range sites) { find_finals(stage, sites, scratch); });
    if (stage.last) put_finals(request_.sites, finals_, request_.final_top);
  }
  if (!stage.layers || request_.lenses.empty()) return;
  const std::size_t step = std::max<std::size_t>(1, stack_rows / plan_.rows.size());
  if (stage.first && !stage.again) stacks_.resize(n_chunks(S, step));
  for_chunks(S, step, [&](row_range sites) {
    open_stack& stack = stacks_[sites.first / step];
    if (!stage.again || !stack.as_expected) read_layers(stage, sites, stack, scratch);
  });
}

// The final outputs alone: largest logit and its id for every site.
void readout::find_finals(const readout_stage& stage, row_range sites, workspace& scratch) {
  std::unique_ptr<row_table>& table = final_stacks_[sites.first / stack_rows].table;
  if (stage.first) table = std::make_unique<row_table>(sites.n);
  readout_stack(model_, request_, final_plan_, sites, scratch)
      .run_tiles(stage, *table, {}, row_kind::top_only);
  if (!stage.last) return;
  std::copy(table->tops.begin(), table->tops.end(),
            finals_.begin() + static_cast<std::ptrdiff_t>(sites.first));
  table.reset();
}

void readout::read_layers(const readout_stage& stage, row_range sites, open_stack& open, workspace& scratch) {
  readout_stack stack(model_, request_, plan_, sites, scratch);
  const std::span<const top_entry> finals = std::span(finals_).subspan(sites.first, sites.n);
  const std::vector<site_target> targets = site_targets(stack.sites());
  if (stage.first && !stage.again) {
    open.table = std::make_unique<row_table>(stack.sites(), plan_.rows.size(), request_.batch->top_k, finals);
    stack.find_targets(*open.table, targets);
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
  open.table->write(*request_.batch, stack.sites(), model_.weights.unembed.rows, plan_.row_of_lens,
                    request_.readings);
  open.table.reset();
}

}  // namespace depthlens::cpu
