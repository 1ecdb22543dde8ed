// SPDX-License-Identifier: Apache-2.0
// The pack goes through the model block by block (block.cpp) in tree order. Keys and values exist for one
// block at a time. The last block computes them of all tokens, and the rest for the tokens that are read.
#include "pass.hpp"

#include "device.hpp"

#include "depthlens/base/error.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace depthlens::torch_backend {

namespace {

// Angles are products in float32, as dlens_architecture says.
model_angles angles(const at::Tensor& position, const at::Tensor& inverse_frequency, double scale) {
  const at::Tensor angle =
      (position.to(at::kFloat).unsqueeze(1) * inverse_frequency.unsqueeze(0)).to(at::kDouble);
  const auto table = [&](const at::Tensor& values) {
    const at::Tensor rounded = values.to(at::kFloat).unsqueeze(1);
    return scale == 1 ? rounded : rounded * scale;
  };
  return {table(angle.cos()), table(angle.sin())};
}

}  // namespace

model::replica_use::replica_use(const model& of, std::uint32_t tokens)
    : of_(of), tokens_(std::max(tokens, 1u)), replica_([&]() -> const replica& {
        const std::lock_guard lock(of.under_way_guard_);
        const auto fewest =
            std::min_element(of.replicas_.begin(), of.replicas_.end(),
                             [](const auto& a, const auto& b) { return a->tokens < b->tokens; });
        (*fewest)->tokens += tokens_;
        return **fewest;
      }()) {}

model::replica_use::~replica_use() {
  const std::lock_guard lock(of_.under_way_guard_);
  replica_.tokens -= tokens_;
}

model::device_call::device_call(at::Device device) : stream_(device) {
  if (device.is_cpu()) at::set_num_threads(1);  // the host calls from as many threads as there are
}

model::pass::pass(const model& m, const replica& at, const dlens_batch& asked,
                  std::vector<const lens*> lenses, std::int32_t* final_top,
                  const dlens_readings* const* readings)
    : on(at), batch(asked), tree(make_token_tree(asked, {m.arch_.vocab_size, m.arch_.max_positions})) {
  if (batch.prefix || batch.kept || batch.prefix_length > 0)
    fail(status::internal, "this backend keeps no prefixes");
  std::vector<read_site> sites = make_read_sites(batch, tree);
  for (const read_site& site : sites) site_tokens.push_back(site.token);
  if (sites.empty()) return;
  site_index = to_device(site_tokens, on.device);
  stream = m.embed(*this);
  hidden.resize(m.arch_.n_layers + std::size_t{1});
  read.emplace(readout_model{.weights = on.weights,
                             .softcap = m.arch_.final_softcap,
                             .n_layers = m.arch_.n_layers,
                             .device = on.device,
                             .device_index = on.index},
               readout_request{.batch = &batch,
                               .sites = std::move(sites),
                               .hidden = &hidden,
                               .lenses = std::move(lenses),
                               .final_top = final_top,
                               .readings = readings});
}

model::block_call::block_call(const model& m, pass& on, std::uint32_t first, std::uint32_t end) : p(on) {
  const at::Device device = p.on.device;
  const at::Tensor position = to_device(p.tree.position, device);
  everywhere = angles(position, p.on.inverse_frequency, m.arch_.rope_scale);
  local = m.tables_.local_inverse_frequency.empty() ? everywhere
                                                    : angles(position, p.on.local_inverse_frequency, 1);
  if (first + 1 < m.arch_.n_layers) {
    std::vector<std::int64_t> every(p.tree.token.size());
    std::iota(every.begin(), every.end(), 0);
    all.emplace(block_rows{.tokens = {}, .attention = {p.tree, every, m.attention_shape_, device}});
  }
  if (end == m.arch_.n_layers)
    read.emplace(
        block_rows{.tokens = p.site_index, .attention = {p.tree, p.site_tokens, m.attention_shape_, device}});
}

// The pass is changed when all of it has been computed: a call that found no memory is made again.
void model::enter_block(block_call& call, std::uint32_t layer) const {
  pass& p = call.p;
  stages_->wait_for(layer, p.on.index);
  const at::Tensor entering = p.at_sites(p.stream);
  const bool last = layer + 1 == arch_.n_layers;
  p.stream = run_block(call, layer, last ? *call.read : *call.all);
  p.hidden[layer] = entering;
  if (last) p.hidden[arch_.n_layers] = p.stream;
  p.layers_run = layer + 1;
}

void model::read_stage(pass& p, std::uint32_t number, product_counter& products) const {
  stages_->wait_for(arch_.n_layers + number, p.on.index);
  for (; p.layers_run < arch_.n_layers; ++p.layers_run)  // blocks that the host left out (pass_run)
    p.hidden[p.layers_run] = p.hidden[arch_.n_layers] = p.at_sites(p.stream);
  if (number == 0) copy_hidden(p);
  p.read->run(p.on.weights.readouts[number], products);
}

// stream (T, D) = embed[token] * embed_scale, + position[position] where positions are learned.
at::Tensor model::embed(const pass& p) const {
  const model_weights& w = p.on.weights;
  const std::vector<std::int64_t> token(p.tree.token.begin(), p.tree.token.end());
  at::Tensor h = rounded_rows(w.embed, token, w.type, p.on.device);
  if (arch_.embed_scale != 1) h.mul_(arch_.embed_scale);
  if (!w.position.present()) return h;
  std::vector<std::int64_t> position(p.tree.position.begin(), p.tree.position.end());
  for (std::int64_t& row : position) row += arch_.position_offset;
  return h.add_(rounded_rows(w.position, position, w.type, p.on.device));
}

// To the host's buffer, if it wants them.
void model::copy_hidden(const pass& p) const {
  if (!p.batch.hidden) return;
  const std::vector<read_site>& sites = p.read->sites();
  const std::size_t d = arch_.d_model, layers = p.hidden.size();
  for (std::size_t layer = 0; layer < layers; ++layer) {
    const at::Tensor states = p.hidden[layer].to(at::kCPU).contiguous();
    for (std::size_t i = 0; i < sites.size(); ++i)
      for (const std::uint32_t read : sites[i].reads)
        std::copy_n(states.const_data_ptr<float>() + i * d, d, p.batch.hidden + (read * layers + layer) * d);
  }
}

}  // namespace depthlens::torch_backend
