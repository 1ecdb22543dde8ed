// SPDX-License-Identifier: Apache-2.0
#include "readout.hpp"

#include "readout_stack.hpp"

#include <algorithm>
#include <span>
#include <vector>

namespace depthlens::torch_backend {

namespace {

// Enough rows to keep the device busy for each tile of the unembedding that is read.
std::size_t stack_rows(at::Device device) { return device.type() == at::kCUDA ? 2048 : 512; }

}  // namespace

void read_out(const readout_model& model, readout_request& request) {
  std::vector<std::span<const transport>> lenses;
  for (const lens* l : request.lenses) lenses.emplace_back(l->layers[model.device_index]);
  const auto plan = plan_rows(model.n_layers, lenses, request.readings);
  const at::Device device = model.weights.unembed.device();
  const std::size_t n_sites = request.sites.size();
  const std::size_t step = std::max<std::size_t>(1, stack_rows(device) / plan.rows.size());
  for (std::size_t first = 0; first < n_sites; first += step)
    readout_stack(model, request, plan, first, std::min(step, n_sites - first)).run();
}

}  // namespace depthlens::torch_backend
