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
  return plan_rows(model.n_layers, request.final_layer, lenses, request.readings);
}

}  // namespace

readout::readout(const readout_model& model, readout_request request)
    : model_(model),
      request_(std::move(request)),
      final_plan_{.rows = {{request_.final_layer, nullptr}}, .row_of_lens = {}},
      plan_(plan_of(model_, request_)),
      finals_(request_.sites.size()) {}

void readout::run(const readout_stage& stage, workspace& scratch) {
  const std::size_t S = request_.sites.size();
  if (stage.finals) {
    if (stage.first) final_tables_.resize(n_chunks(S, stack_rows));
    for_chunks(S, stack_rows, [&](row_range sites) { find_finals(stage, sites, scratch); });
    if (stage.last) put_finals(request_.sites, finals_, request_.final_top);
  }
  if (!stage.layers || request_.lenses.empty()) return;
  const std::size_t step = std::max<std::size_t>(1, stack_rows / plan_.rows.size());
  if (stage.first && !stage.again) stacks_.resize(n_chunks(S, step));
  for_chunks(S, step, [&](row_range sites) {
    open_layers& stack = stacks_[sites.first / step];
    if (!stage.again || !stack.as_expected) read_stack(stage, sites, stack, scratch);
  });
}

// The final outputs alone: largest logit and its id for every site.
void readout::find_finals(const readout_stage& stage, row_range sites, workspace& scratch) {
  std::unique_ptr<row_table>& table = final_tables_[sites.first / stack_rows];
  if (stage.first) table = std::make_unique<row_table>(sites.n);
  readout_stack(model_, request_, final_plan_, sites, scratch)
      .run_tiles(stage, *table, {}, row_kind::top_only);
  if (!stage.last) return;
  std::copy(table->tops.begin(), table->tops.end(),
            finals_.begin() + static_cast<std::ptrdiff_t>(sites.first));
  table.reset();
}

void readout::read_stack(const readout_stage& stage, row_range sites, open_layers& open, workspace& scratch) {
  readout_stack stack(model_, request_, plan_, sites, scratch);
  read_layers(
      stage, stack, plan_, {request_.batch, request_.readings, model_.weights.unembed.rows},
      std::span(finals_).subspan(sites.first, sites.n),
      [&](row_table& table, const std::vector<site_target>& targets) { stack.find_targets(table, targets); },
      open);
}

}  // namespace depthlens::cpu
