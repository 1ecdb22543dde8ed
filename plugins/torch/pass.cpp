// SPDX-License-Identifier: Apache-2.0
// The pack goes through the model block by block (block.cpp) in tree order. Keys and values exist for one
// block at a time, but for those that later blocks take, which live until the last of these. The last block
// computes them of all tokens, and the rest for the tokens that are read.
#include "pass.hpp"

#include "device.hpp"

#include "depthlens/base/error.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace depthlens::torch_backend {

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
    : on(at),
      batch(asked),
      tree(make_token_tree(asked, {m.arch_.all.vocab_size, m.arch_.all.max_positions})),
      choices(batch.choices, m.arch_),
      edits(asked, tree, m.arch_.n_layers(), m.arch_.all.d_model) {
  if (batch.prefix || batch.kept || batch.prefix_length > 0)
    fail(status::internal, "this backend keeps no prefixes");
  std::vector<read_site> sites = make_read_sites(batch, tree);
  for (const read_site& site : sites) site_tokens.push_back(site.token);
  if (sites.empty()) return;
  site_index = to_device(site_tokens, on.device);
  stream = m.embed(*this);
  if (m.arch_.layer_inputs) layer_inputs = m.make_layer_inputs(*this);
  const std::vector<std::uint32_t> others = edits.finals_of(sites);
  const std::uint32_t final_layer = m.arch_.n_layers() + (others.empty() ? 0 : 1);
  if (!others.empty()) finals = to_device(std::vector<std::int64_t>(others.begin(), others.end()), on.device);
  hidden.resize(final_layer + std::size_t{1});
  read.emplace(readout_model{.weights = on.weights,
                             .softcap = m.arch_.all.final_softcap,
                             .n_layers = m.arch_.n_layers(),
                             .device = on.device,
                             .device_index = on.index},
               readout_request{.batch = &batch,
                               .sites = std::move(sites),
                               .hidden = &hidden,
                               .final_layer = final_layer,
                               .lenses = std::move(lenses),
                               .final_top = final_top,
                               .readings = readings});
}

model::block_call::block_call(const model& m, pass& on, std::uint32_t first, std::uint32_t end) : p(on) {
  const at::Device device = p.on.device;
  const at::Tensor position = to_device(p.tree.position, device);
  const at::Tensor is_long = p.tree.rope_long.empty()
                                 ? at::Tensor()
                                 : to_device(p.tree.rope_long, device).to(at::kBool).unsqueeze(1);
  for (std::size_t i = 0; i < m.arch_.ropes.size(); ++i) {
    const at::Tensor& shorter = p.on.inverse_frequencies[i];
    const at::Tensor own =
        is_long.defined() ? at::where(is_long, p.on.long_frequencies[i], shorter) : shorter;
    ropes.push_back(make_angles(position, own, m.arch_.ropes[i].scale));
  }
  if (first + 1 < m.arch_.n_layers()) {
    std::vector<std::int64_t> every(p.tree.token.size());
    std::iota(every.begin(), every.end(), 0);
    all.emplace(made_rows{.tokens = {}, .attention = {p.tree, std::move(every), device}});
  }
  if (end == m.arch_.n_layers())
    read.emplace(made_rows{.tokens = p.site_index, .attention = {p.tree, p.site_tokens, device}});
}

const rope_angles& model::block_call::angles(const block_shape& shape) const {
  static const rope_angles none;
  return shape.attention->rope_dims > 0 ? ropes[shape.rope] : none;
}

const chunk_paths& model::block_call::paths() {
  const at::Device device = p.on.device;
  if (!paths_)
    paths_.emplace(p.tree, paths_at_once(device.is_cuda() ? device_kind::cuda : device_kind::cpu), device);
  return *paths_;
}

// What other tokens give is as it was before any of this layer's edits. Once for a layer, also where the call
// is made again.
void model::edit_states(pass& p, std::uint32_t layer) const {
  if (std::exchange(p.layers_edited, layer + 1) > layer) return;
  const std::span<const tree_edit> edits = p.edits.before(layer);
  if (edits.empty()) return;
  const auto d = static_cast<std::int64_t>(arch_.all.d_model);
  std::vector<std::int64_t> at, from;
  std::vector<float> adds;
  at::Tensor given = at::zeros({static_cast<std::int64_t>(edits.size()), d});
  for (std::size_t i = 0; i < edits.size(); ++i) {
    at.push_back(edits[i].at);
    from.push_back(edits[i].vector ? -1 : static_cast<std::int64_t>(edits[i].from));
    adds.push_back(edits[i].adds ? 1.0f : 0.0f);
    if (edits[i].vector)
      std::copy_n(edits[i].vector, d, given.data_ptr<float>() + static_cast<std::int64_t>(i) * d);
  }
  const at::Tensor source = to_device(from, p.on.device),
                   taken = p.stream.index_select(0, source.clamp_min(0));
  const at::Tensor value = at::where((source < 0).unsqueeze(1), given.to(p.on.device), taken);
  const at::Tensor place = to_device(at, p.on.device);
  const at::Tensor kept = to_device(adds, p.on.device).to(at::kBool).unsqueeze(1);
  const at::Tensor before = p.stream.index_select(0, place);
  p.stream = p.stream.index_copy(0, place, at::where(kept, before + value, value));
}

// The pass is changed when all of it has been computed: a call that found no memory is made again.
void model::enter_block(block_call& call, std::uint32_t layer) const {
  pass& p = call.p;
  stages_->wait_for(layer, p.on.index);
  edit_states(p, layer);
  const at::Tensor entering = p.at_sites(p.stream);
  const bool last = layer + 1 == arch_.n_layers();
  p.stream = run_block(call, layer, last ? *call.read : *call.all);
  p.hidden[layer] = entering;
  if (last) p.hidden[arch_.n_layers()] = p.stream;
  if (call.made_kv) p.shared.emplace(layer, *std::exchange(call.made_kv, std::nullopt));
  std::erase_if(p.shared, [&](const auto& of) {
    const auto takes = [&](const block_shape& b) { return b.attention && b.attention->kv_layer == of.first; };
    return std::none_of(arch_.blocks.begin() + layer + 1, arch_.blocks.end(), takes);
  });
  p.layers_run = layer + 1;
}

void model::read_stage(pass& p, std::uint32_t number, product_counter& products) const {
  stages_->wait_for(arch_.n_layers() + number, p.on.index);
  for (; p.layers_run < arch_.n_layers(); ++p.layers_run)  // blocks that the host left out (pass_run)
    p.hidden[p.layers_run] = p.hidden[arch_.n_layers()] = p.at_sites(p.stream);
  const std::size_t n = arch_.n_layers();
  if (number == 0) copy_hidden(p);
  if (p.finals.defined() && !p.hidden[n + 1].defined())
    p.hidden[n + 1] = p.hidden[n].index_select(0, p.finals);
  p.read->run(p.on.weights.readouts[number], products);
}

// stream (T, D) = embed_norm(in_projection(embed[token] * embed_scale) + position[position]), as far as the
// model has these.
at::Tensor model::embed(const pass& p) const {
  const model_weights& w = p.on.weights;
  const std::vector<std::int64_t> token(p.tree.token.begin(), p.tree.token.end());
  at::Tensor h = rounded_rows(w.embed, token, w.type, p.on.device);
  if (arch_.all.embed_scale != 1) h.mul_(arch_.all.embed_scale);
  if (w.in_projection.present()) h = w.in_projection.apply(h).to(at::kFloat);
  if (w.position.present()) {
    std::vector<std::int64_t> position(p.tree.position.begin(), p.tree.position.end());
    for (std::int64_t& row : position) row += arch_.all.position_offset;
    h.add_(rounded_rows(w.position, position, w.type, p.on.device));
  }
  return w.embed_norm.apply(h);
}

// Of all layers, see dlens_layer_inputs.
at::Tensor model::make_layer_inputs(const pass& p) const {
  const model_weights& w = p.on.weights;
  const dlens_layer_inputs& form = *arch_.layer_inputs;
  const std::vector<std::int64_t> token(p.tree.token.begin(), p.tree.token.end());
  for (const std::int64_t id : token)
    if (id >= static_cast<std::int64_t>(form.vocab_size))
      fail(status::data, "token id ", id, " has no layer inputs; the model has them for ids 0..",
           form.vocab_size - 1);
  const at::Tensor context = w.layer_projection.apply(p.stream)
                                 .to(at::kFloat)
                                 .mul_(form.projection_scale)
                                 .view({-1, arch_.n_layers(), form.dim});
  const at::Tensor own = rounded_rows(w.layer_embed, token, w.type, p.on.device).mul_(form.embed_scale);
  return (w.layer_embed_norm.apply(context) + own.view(context.sizes())).mul_(form.sum_scale);
}

// To the host's buffer, if it wants them.
void model::copy_hidden(const pass& p) const {
  if (!p.batch.hidden) return;
  const std::vector<read_site>& sites = p.read->sites();
  const std::size_t d = arch_.all.d_model, layers = arch_.n_layers() + std::size_t{1};
  for (std::size_t layer = 0; layer < layers; ++layer) {
    const at::Tensor states = p.hidden[layer].to(at::kCPU).contiguous();
    for (std::size_t i = 0; i < sites.size(); ++i)
      for (const std::uint32_t read : sites[i].reads)
        std::copy_n(states.const_data_ptr<float>() + i * d, d, p.batch.hidden + (read * layers + layer) * d);
  }
}

}  // namespace depthlens::torch_backend
