// SPDX-License-Identifier: Apache-2.0
#include "readout.hpp"

#include "readout_stack.hpp"

#include <algorithm>
#include <span>
#include <vector>

namespace depthlens::cpu {

namespace {

constexpr std::size_t stack_rows = 1024;

// The final outputs alone: largest logit and its id for every site.
std::vector<top_entry> read_finals(const readout_model& model, const readout_request& request,
                                   workspace& scratch) {
  const row_plan<transport> plan{.rows = {{model.n_layers, nullptr}}, .row_of_lens = {}};
  std::vector<top_entry> finals(request.sites.size());
  for_chunks(finals.size(), stack_rows, [&](row_range sites) {
    readout_stack(model, request, plan, sites, scratch)
        .find_finals(std::span(finals).subspan(sites.first, sites.n));
  });
  return finals;
}

}  // namespace

void read_out(const readout_model& model, readout_request& request, workspace& scratch) {
  const std::vector<top_entry> finals = read_finals(model, request, scratch);
  put_finals(request.sites, finals, request.final_top);
  if (request.lenses.empty()) return;
  std::vector<std::span<const transport>> lenses;
  for (const lens* l : request.lenses) lenses.emplace_back(l->layers);
  const auto plan = plan_rows(model.n_layers, lenses, request.readings);
  const std::size_t step = std::max<std::size_t>(1, stack_rows / plan.rows.size());
  for_chunks(finals.size(), step, [&](row_range sites) {
    readout_stack(model, request, plan, sites, scratch).read(std::span(finals).subspan(sites.first, sites.n));
  });
}

}  // namespace depthlens::cpu
