// SPDX-License-Identifier: Apache-2.0
// A pack (dlens_batch of abi/backend.h) is the tokens of several prompts as a tree, shared beginnings once.
// It goes through the model block by block (block.cpp), in tree order: depth first. Keys and values exist for
// one block at a time, but for those that are kept for later packs (kept_path.hpp). The last block computes
// keys and values of all tokens, and the rest at the sites: the tokens that are read.
#include "pass.hpp"

#include "depthlens/base/error.hpp"

#include <algorithm>
#include <utility>

namespace depthlens::cpu {

namespace {

// The rows `from` of the stream, one behind the other.
void copy_rows(const float_rows& stream, const std::vector<std::uint32_t>& from, const float_rows& to) {
  for (std::size_t i = 0; i < from.size(); ++i) std::copy_n(stream.row(from[i]), stream.width, to.row(i));
}

}  // namespace

model::pass::pass(const model& m, const dlens_batch& asked, std::vector<const lens*> lenses,
                  std::int32_t* final_top, const dlens_readings* const* readings, state_room given,
                  workspace& scratch)
    : batch(asked),
      tree(make_token_tree(batch, {m.arch_.vocab_size, m.arch_.max_positions,
                                   batch.prefix ? batch.prefix->path->end : batch.prefix_length})),
      all_queries(make_query_rows(tree)),
      room(std::move(given)) {
  std::vector<read_site> sites = make_read_sites(batch, tree);
  n_sites = sites.size();
  for (const read_site& site : sites) site_tokens.push_back(site.token);
  site_queries = make_query_rows(tree, site_tokens);
  if (batch.kept) {
    if (batch.keep_token >= batch.n_tokens)
      fail(status::internal, "token ", batch.keep_token, " is to be kept; the pack has ", batch.n_tokens);
    for (auto t = static_cast<std::int32_t>(batch.keep_token); t >= 0; t = batch.parent[t])
      kept_tokens.push_back(tree.place[t]);
    std::reverse(kept_tokens.begin(), kept_tokens.end());
  }
  if (!is_needed()) return;
  const std::size_t d = m.arch_.d_model;
  stream = room.stream.rows(tree.token.size(), d);
  hidden = room.hidden.rows((m.arch_.n_layers + std::size_t{1}) * n_sites, d);
  m.embed(*this, scratch);
  if (n_sites == 0) return;
  read.emplace(readout_model{.weights = m.weights_,
                             .kernels = m.kernels_,
                             .n_layers = m.arch_.n_layers,
                             .softcap = static_cast<float>(m.arch_.final_softcap),
                             .target_shape = m.shapes_.get(d, targets_at_once)},
               readout_request{.batch = &batch,
                               .sites = std::move(sites),
                               .hidden = hidden,
                               .lenses = std::move(lenses),
                               .final_top = final_top,
                               .readings = readings});
}

model::block_call::block_call(const model& m, pass& on, std::uint32_t first, std::uint32_t end,
                              std::shared_ptr<const kept_path> path, workspace& space)
    : p(on),
      scratch(space),
      rotary(space.rotary.reserve(on.tree.n_positions, m.tables_.inverse_frequency,
                                  static_cast<float>(m.arch_.rope_scale))),
      local_rotary(
          m.tables_.local_inverse_frequency.empty()
              ? rotary
              // rope_scale is for the others (dlens_architecture).
              : space.local_rotary.reserve(on.tree.n_positions, m.tables_.local_inverse_frequency, 1)),
      prefix(std::move(path)) {
  if (p.kept_tokens.empty()) return;
  kept = std::make_shared<kept_path>();
  kept->begin = static_cast<std::uint32_t>(p.tree.position[p.kept_tokens.front()]);
  kept->end = kept->begin + static_cast<std::uint32_t>(p.kept_tokens.size());
  kept->first_layer = first;
  // A path whose first token in this pack is not at position 0 continues the prefix.
  if (kept->begin > 0) kept->prefix = prefix;
  kept->kv.reserve_raw(p.kept_tokens.size() * (end - first) * m.kv_width());
}

// Every block but the last makes all rows of the stream from all; of the last one only the sites are needed.
void model::enter_block(block_call& call, std::uint32_t layer) const {
  pass& p = call.p;
  copy_rows(p.stream, p.site_tokens, p.states(layer));
  p.layers_run = layer + 1;
  if (layer + 1 < arch_.n_layers) return run_block(call, layer, {p.stream, p.all_queries});
  copy_rows(p.stream, p.site_tokens, p.states(layer + 1));  // to which the last block adds
  run_block(call, layer, {p.states(layer + 1), p.site_queries});
}

void model::read_stage(pass& p, const readout_stage& stage, workspace& scratch) const {
  if (!p.read) return;
  // Blocks at the end that the host left out, as dlens_model.pass_run allows: its self-check needs none.
  for (; p.layers_run < arch_.n_layers; ++p.layers_run) {
    copy_rows(p.stream, p.site_tokens, p.states(p.layers_run));
    copy_rows(p.stream, p.site_tokens, p.states(arch_.n_layers));
  }
  if (&stage == &weights_.readouts.front()) copy_hidden(p);
  p.read->run(stage, scratch);
}

// stream (T, D) = embed[token] * embed_scale, + position[position] where positions are learned.
void model::embed(pass& p, workspace& scratch) const {
  const token_tree& tree = p.tree;
  const std::size_t d = arch_.d_model;
  const auto scale = static_cast<float>(arch_.embed_scale);
  float* learned = scratch.row.reserve(d);
  for (std::size_t t = 0; t < p.stream.n; ++t) {
    float* h = p.stream.row(t);
    weights_.embed.read_rows(static_cast<std::size_t>(tree.token[t]), 1, h);
    for (std::size_t i = 0; i < d && scale != 1; ++i) h[i] *= scale;
    if (!weights_.position.present()) continue;
    weights_.position.read_rows(static_cast<std::size_t>(tree.position[t]) + arch_.position_offset, 1,
                                learned);
    kernels_.add(h, learned, d);
  }
}

// To the host's buffer, if it wants them.
void model::copy_hidden(const pass& p) const {
  if (!p.batch.hidden) return;
  const std::vector<read_site>& sites = p.read->sites();
  const std::size_t d = arch_.d_model, layers = arch_.n_layers + std::size_t{1};
  for (std::uint32_t layer = 0; layer < layers; ++layer)
    for (std::size_t i = 0; i < sites.size(); ++i)
      for (const std::uint32_t read : sites[i].reads)
        std::copy_n(p.states(layer).row(i), d, p.batch.hidden + (read * layers + layer) * d);
}

}  // namespace depthlens::cpu
