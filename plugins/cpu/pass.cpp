// SPDX-License-Identifier: Apache-2.0
// A pack (dlens_batch of abi/backend.h) is the tokens of several prompts as a tree, shared beginnings once.
// It goes through the model block by block (block.cpp), in tree order: depth first. Keys and values exist for
// one block at a time, but for those that are kept for later packs (kept_path.hpp). The last block computes
// keys and values of all tokens, and the rest at the sites: the tokens that are read.
#include "pass.hpp"

#include "block.hpp"

#include "depthlens/base/error.hpp"

#include <algorithm>
#include <numeric>
#include <span>
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
      tree(make_token_tree(batch, {m.arch_.all.vocab_size, m.arch_.all.max_positions,
                                   batch.prefix ? batch.prefix->path->end : batch.prefix_length})),
      choices(batch.choices, m.arch_),
      edits(batch, tree, m.arch_.n_layers(), m.arch_.all.d_model),
      all_queries(make_query_rows(tree)),
      room(std::move(given)) {
  std::vector<read_site> sites = make_read_sites(batch, tree);
  n_sites = sites.size();
  finals = edits.finals_of(sites);
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
  const std::size_t d = m.arch_.all.d_model;
  stream = room.stream.rows(tree.token.size(), d);
  const std::uint32_t final_layer = m.arch_.n_layers() + (finals.empty() ? 0 : 1);
  hidden = room.hidden.rows((final_layer + std::size_t{1}) * n_sites, d);
  std::vector<std::uint32_t> tokens(stream.n);
  std::iota(tokens.begin(), tokens.end(), 0u);
  for_chunks(stream.n, matmul_shape::max_rows, [&](row_range rows) {
    m.embed_rows(tree, std::span(tokens).subspan(rows.first, rows.n), stream.part(rows), scratch);
  });
  if (n_sites == 0) return;
  read.emplace(readout_model{.weights = m.weights_,
                             .kernels = m.kernels_,
                             .n_layers = m.arch_.n_layers(),
                             .softcap = static_cast<float>(m.arch_.all.final_softcap),
                             .target_shape = m.shapes_.get(m.arch_.all.embed_dim, targets_at_once)},
               readout_request{.batch = &batch,
                               .sites = std::move(sites),
                               .hidden = hidden,
                               .final_layer = final_layer,
                               .lenses = std::move(lenses),
                               .final_top = final_top,
                               .readings = readings});
}

block_call::block_call(const model& m, model::pass& on, std::uint32_t first, std::uint32_t end,
                       std::shared_ptr<const kept_path> path, workspace& space)
    : p(on), scratch(space), prefix(std::move(path)) {
  scratch.rotary.resize(m.arch().ropes.size());
  scratch.long_rotary.resize(m.arch().ropes.size());
  for (std::size_t i = 0; i < scratch.rotary.size(); ++i) {
    const rope_table& table = m.arch().ropes[i];
    const auto scale = static_cast<float>(table.scale);
    scratch.rotary[i].reserve(p.tree.n_positions, table.inverse_frequency, scale);
    if (!p.tree.rope_long.empty())
      scratch.long_rotary[i].reserve(p.tree.n_positions, table.long_inverse_frequency, scale);
  }
  if (p.kept_tokens.empty()) return;
  kept = std::make_shared<kept_path>();
  kept->begin = static_cast<std::uint32_t>(p.tree.position[p.kept_tokens.front()]);
  kept->end = kept->begin + static_cast<std::uint32_t>(p.kept_tokens.size());
  kept->first_layer = first;
  kept->layers.resize(end - first);
  // A path whose first token in this pack is not at position 0 continues the prefix.
  if (kept->begin > 0) kept->prefix = prefix;
}

// What other tokens give is as it was before any of this layer's edits.
void model::edit_states(pass& p, std::uint32_t layer, workspace& scratch) const {
  const std::span<const tree_edit> edits = p.edits.before(layer);
  const std::size_t d = p.stream.width;
  float* const taken = scratch.row.reserve(edits.size() * d);
  for (std::size_t i = 0; i < edits.size(); ++i)
    std::copy_n(edits[i].vector ? edits[i].vector : p.stream.row(edits[i].from), d, taken + i * d);
  for (std::size_t i = 0; i < edits.size(); ++i) {
    float* const to = p.stream.row(edits[i].at);
    if (edits[i].adds) {
      kernels_.add(to, taken + i * d, d);
    } else {
      std::copy_n(taken + i * d, d, to);
    }
  }
}

// Every block but the last makes all rows of the stream from all; of the last one only the sites are needed.
void model::enter_block(block_call& call, std::uint32_t layer) const {
  pass& p = call.p;
  edit_states(p, layer, call.scratch);
  copy_rows(p.stream, p.site_tokens, p.states(layer));
  p.layers_run = layer + 1;
  if (layer + 1 < arch_.n_layers()) return block_run(*this, call, layer, {p.stream, p.all_queries}).run();
  copy_rows(p.stream, p.site_tokens, p.states(layer + 1));  // to which the last block adds
  block_run(*this, call, layer, {p.states(layer + 1), p.site_queries}).run();
}

void model::read_stage(pass& p, const readout_stage& stage, workspace& scratch) const {
  if (!p.read) return;
  // Blocks at the end that the host left out, as dlens_model.pass_run allows: its self-check needs none.
  for (; p.layers_run < arch_.n_layers(); ++p.layers_run) {
    copy_rows(p.stream, p.site_tokens, p.states(p.layers_run));
    copy_rows(p.stream, p.site_tokens, p.states(arch_.n_layers()));
  }
  if (&stage == &weights_.readouts.front()) {
    copy_hidden(p);
    if (!p.finals.empty()) copy_rows(p.states(arch_.n_layers()), p.finals, p.states(arch_.n_layers() + 1));
  }
  p.read->run(stage, scratch);
}

// h of up to chunk_rows tokens (by place in the tree) = embed_norm(in_projection(embed[token] * embed_scale)
// + position[position]), as far as the model has these.
void model::embed_rows(const token_tree& tree, std::span<const std::uint32_t> tokens, const float_rows& h,
                       workspace& scratch) const {
  const model_weights& w = weights_;
  const auto scale = static_cast<float>(arch_.all.embed_scale);
  const bool projected = w.in_projection.present();
  const std::size_t width = arch_.all.embed_dim;
  float* const plain = projected ? scratch.product.reserve(matmul_shape::max_rows * width) : nullptr;
  for (std::size_t i = 0; i < h.n; ++i) {
    float* const to = projected ? plain + i * width : h.row(i);
    w.embed.read_rows(static_cast<std::size_t>(tree.token[tokens[i]]), 1, to);
    if (scale != 1) kernels_.scale(to, scale, width);
  }
  if (projected) w.in_projection.apply(kernels_, {plain, h.n, width}, h, scratch);
  float* learned = scratch.row.reserve(h.width);
  for (std::size_t i = 0; i < h.n && w.position.present(); ++i) {
    const auto position = static_cast<std::size_t>(tree.position[tokens[i]]);
    w.position.read_rows(position + arch_.all.position_offset, 1, learned);
    kernels_.add(h.row(i), learned, h.width);
  }
  if (w.embed_norm.present()) w.embed_norm.apply(kernels_, h.data, h.n, h.data);
}

// To the host's buffer, if it wants them.
void model::copy_hidden(const pass& p) const {
  if (!p.batch.hidden) return;
  const std::vector<read_site>& sites = p.read->sites();
  const std::size_t d = arch_.all.d_model, layers = arch_.n_layers() + std::size_t{1};
  for (std::uint32_t layer = 0; layer < layers; ++layer)
    for (std::size_t i = 0; i < sites.size(); ++i)
      for (const std::uint32_t read : sites[i].reads)
        std::copy_n(p.states(layer).row(i), d, p.batch.hidden + (read * layers + layer) * d);
}

}  // namespace depthlens::cpu
