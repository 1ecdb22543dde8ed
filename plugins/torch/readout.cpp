// SPDX-License-Identifier: Apache-2.0
#include "readout.hpp"

#include "readout_stack.hpp"

#include <algorithm>

namespace depthlens::torch_backend {

namespace {

// Enough rows to keep the device busy for each tile of the unembedding that is read.
std::int64_t stack_rows(at::Device device) { return device.type() == at::kCUDA ? 2048 : 512; }

// Rows of a site: its final output, then every (layer, transport) that some lens asks for, the plain ones once.
row_plan plan_rows(const readout_model& model, const readout_request& request) {
  row_plan plan;
  plan.rows.push_back({model.n_layers, nullptr});
  std::vector<std::size_t> plain(model.n_layers + 1, 0);
  for (const lens* l : request.lenses) {
    std::vector<std::size_t>& rows = plan.row_of_lens.emplace_back();
    for (const transport& t : l->layers[model.device_index]) {
      const bool identity = t.form == DLENS_TRANSPORT_IDENTITY;
      if (identity && (t.layer == model.n_layers || plain[t.layer] != 0)) {
        rows.push_back(plain[t.layer]);
        continue;
      }
      if (identity) plain[t.layer] = plan.rows.size();
      rows.push_back(plan.rows.size());
      plan.rows.push_back({t.layer, identity ? nullptr : &t});
    }
  }
  for (std::size_t l = 0; l < request.lenses.size(); ++l) plan.wants_kl |= request.readings[l]->kl != nullptr;
  return plan;
}

}  // namespace

std::vector<site> make_sites(const dlens_batch& batch, const cpu::token_tree& tree) {
  std::vector<site> sites;
  std::vector<std::uint32_t> order(batch.n_reads);
  for (std::uint32_t r = 0; r < batch.n_reads; ++r) order[r] = r;
  const auto token = [&](std::uint32_t read) { return tree.place[batch.read_token[read]]; };
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return token(a) < token(b); });
  for (const std::uint32_t read : order) {
    if (sites.empty() || sites.back().token != static_cast<std::int64_t>(token(read)))
      sites.push_back({static_cast<std::int64_t>(token(read)), {}, {}});
    sites.back().reads.push_back(read);
    sites.back().targets.insert(sites.back().targets.end(), batch.targets + batch.target_begin[read],
                                batch.targets + batch.target_begin[read + 1]);
  }
  return sites;
}

void read_out(const readout_model& model, const readout_request& request) {
  const row_plan plan = plan_rows(model, request);
  const at::Device device = model.weights.unembed.device();
  const auto per_site = static_cast<std::int64_t>(plan.rows.size());
  const auto n_sites = static_cast<std::int64_t>(request.sites.size());
  const std::int64_t step = std::max<std::int64_t>(1, stack_rows(device) / per_site);
  for (std::int64_t first = 0; first < n_sites; first += step)
    readout_stack(model, request, plan, first, std::min(step, n_sites - first)).run();
}

}  // namespace depthlens::torch_backend
