// SPDX-License-Identifier: Apache-2.0
#include "readout.hpp"

#include "model_sizes.hpp"
#include "readout_stack.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace depthlens::torch_backend {

namespace {

row_plan<transport> plan_of(const readout_model& model, const readout_request& request) {
  std::vector<std::span<const transport>> lenses;
  for (const lens* l : request.lenses) lenses.emplace_back(l->layers[model.device_index]);
  return plan_rows(model.n_layers, request.final_layer, lenses, request.readings);
}

}  // namespace

readout::readout(const readout_model& model, readout_request request)
    : model_(model),
      request_(std::move(request)),
      final_plan_{.rows = {{request_.final_layer, nullptr}}, .row_of_lens = {}},
      plan_(plan_of(model_, request_)),
      finals_(request_.sites.size()) {
  const std::size_t most = stack_rows(model.device.is_cuda() ? device_kind::cuda : device_kind::cpu);
  const std::size_t step = std::max<std::size_t>(1, most / plan_.rows.size());
  for (std::size_t first = 0; first < finals_.size(); first += step)
    stacks_.push_back(
        {.first = first, .n = std::min(step, finals_.size() - first), .final_table = nullptr, .layers = {}});
}

void readout::run(const readout_stage& stage, product_counter& products) {
  if (stage.finals) {
    for (open_stack& stack : stacks_)
      if (stack.finals_done != &stage) find_finals(stage, stack, products);
    if (stage.last) put_finals(request_.sites, finals_, request_.final_top);
  }
  if (!stage.layers || request_.lenses.empty()) return;
  for (open_stack& stack : stacks_) {
    if (stack.layers_done == &stage || (stage.again && stack.layers.as_expected)) continue;
    read_stack(stage, stack, products);
    stack.layers_done = &stage;
  }
}

// The final outputs alone: largest logit and its id for every site. In stacks of the sites whose layers are
// read together, so that products of final rows are of one shape.
void readout::find_finals(const readout_stage& stage, open_stack& open, product_counter& products) {
  if (stage.first) open.final_table = std::make_unique<row_table>(open.n);
  readout_stack(model_, request_, final_plan_, open.first, open.n, products)
      .run_tiles(stage, *open.final_table, {}, row_kind::top_only);
  open.finals_done = &stage;
  if (!stage.last) return;
  const std::vector<top_entry>& tops = open.final_table->tops;
  std::copy(tops.begin(), tops.end(), finals_.begin() + static_cast<std::ptrdiff_t>(open.first));
  open.final_table.reset();
}

void readout::read_stack(const readout_stage& stage, open_stack& open, product_counter& products) {
  readout_stack stack(model_, request_, plan_, open.first, open.n, products);
  read_layers(
      stage, stack, plan_, {request_.batch, request_.readings, model_.weights.unembed.rows},
      std::span(finals_).subspan(open.first, open.n),
      [&](row_table& table, const std::vector<site_target>& targets) {
        stack.find_targets(table, targets, stage.tiles.front());
      },
      open.layers);
}

}  // namespace depthlens::torch_backend
