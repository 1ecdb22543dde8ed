// SPDX-License-Identifier: Apache-2.0
#include "readout.hpp"

#include "readout_stack.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace depthlens::cpu {

namespace {

constexpr std::size_t stack_rows = 1024;

// Rows of a site: its final output, then every (layer, transport) that some lens asks for, the plain ones
// once.
row_plan plan_rows(const readout_request& request, std::uint32_t n_layers) {
  row_plan plan;
  plan.rows.push_back({n_layers, nullptr});
  std::map<std::uint32_t, std::size_t> plain{{n_layers, 0}};
  for (const lens* l : request.lenses) {
    std::vector<std::size_t>& rows = plan.row_of_lens.emplace_back();
    for (const transport& t : l->layers) {
      const bool identity = t.form == transport_form::identity;
      if (identity && plain.contains(t.layer)) {
        rows.push_back(plain[t.layer]);
        continue;
      }
      if (identity) plain[t.layer] = plan.rows.size();
      rows.push_back(plan.rows.size());
      plan.rows.push_back({t.layer, identity ? nullptr : &t});
    }
  }
  for (std::uint32_t l = 0; l < request.lenses.size(); ++l) {
    plan.wants_kl |= request.readings[l]->kl != nullptr;
  }
  return plan;
}

// The final outputs alone: largest logit and its id for every site.
std::vector<top_entry> read_finals(const readout_model& model, const readout_request& request,
                                   workspace& scratch) {
  const row_plan plan{{{model.n_layers, nullptr}}, {}, false};
  std::vector<top_entry> finals(request.sites.size());
  for (std::size_t first = 0; first < request.sites.size(); first += stack_rows) {
    const std::size_t n = std::min(stack_rows, request.sites.size() - first);
    readout_stack(model, request, plan, {first, n}, scratch).find_finals(finals.data() + first);
  }
  return finals;
}

}  // namespace

void read_out(const readout_model& model, readout_request& request, workspace& scratch) {
  const std::vector<top_entry> finals = read_finals(model, request, scratch);
  for (std::size_t s = 0; s < request.sites.size(); ++s) {
    for (std::int32_t& target : request.sites[s].targets) {
      if (target < 0) target = finals[s].id;
    }
    if (!request.final_top) continue;
    for (const std::uint32_t read : request.sites[s].reads) request.final_top[read] = finals[s].id;
  }
  if (request.lenses.empty()) return;
  const row_plan plan = plan_rows(request, model.n_layers);
  const std::size_t step = std::max<std::size_t>(1, stack_rows / plan.rows.size());
  for (std::size_t first = 0; first < request.sites.size(); first += step) {
    const std::size_t n = std::min(step, request.sites.size() - first);
    readout_stack stack(model, request, plan, {first, n}, scratch);
    stack.reduce(finals.data() + first);
    stack.write();
  }
}

}  // namespace depthlens::cpu
