// SPDX-License-Identifier: Apache-2.0
// The pack goes through the model block by block (block.cpp), in tree order. Keys and values exist for one
// block at a time, but for those of a path that is to be kept. The last block computes keys and values of
// all tokens, and the rest for the tokens that are read.
#include "pass.hpp"

#include "product_rate.hpp"
#include "single_thread.hpp"

#include "depthlens/base/error.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

namespace depthlens::cpu {

namespace {

constexpr std::uint32_t pack_tokens = 1024;  // more does not run faster

number number_of(const dlens_model_options& options) {
  const std::string_view device = options.device ? options.device : "auto";
  const std::string_view precision = options.precision ? options.precision : "f32";
  if (device != "auto" && device != "cpu") {
    fail(status::unavailable, "the cpu backend has no device ", device,
         "; use --device cpu or another backend");
  }
  if (precision == "f32") return number::f32;
  if (precision == "bf16") return number::bf16;
  fail(status::unavailable, "the cpu backend computes in f32 or bf16, not in ", precision,
       "; use --precision f32 or bf16");
}

}  // namespace

model::model(const dlens_weights& weights, const dlens_model_options& options)
    : arch_(checked_architecture(weights)),
      tables_(take_tables(arch_)),
      kernels_(kernels()),
      number_(number_of(options)),
      shapes_(number_) {
  weights_ = load_weights(weights, shapes_, options.threads);
  run_single_threaded([&] { shapes_.get(arch_.d_model, gather_width); });
  device_text_ = cat("cpu (", kernels_.name, "), ", matmul_description(),
                     shapes_.rows_are_independent() ? "" : ", last bits depend on the pack");
  weights_text_ = shapes_.form();
  const std::uint64_t q_width = 1ull * arch_.n_heads * arch_.head_dim;
  const std::uint64_t floats = arch_.d_model * (arch_.n_layers + 2ull) + q_width + kv_width();
  info_ = {sizeof(dlens_model_info),
           pack_tokens,
           weights_.bytes(),
           floats * sizeof(float) + 64,
           weights_text_.c_str(),
           device_text_.c_str(),
           arch_.n_layers * kv_width() * sizeof(float),
           0,  // calls: one for each thread
           0};
}

lens model::make_lens(std::uint64_t n, const dlens_transport* const* transports) const {
  return cpu::make_lens(n, transports, arch_.n_layers, arch_.d_model, shapes_);
}

model::pass model::make_pass(const dlens_batch& batch, workspace& scratch) const {
  const std::shared_ptr<const kept_path> above = batch.prefix ? batch.prefix->path : nullptr;
  pass p{make_token_tree(batch, {arch_.vocab_size, arch_.max_positions, above ? above->end : 0}),
         {},
         {},
         {},
         {},
         scratch,
         above,
         {},
         {}};
  p.sites = make_read_sites(batch, p.tree);
  for (const read_site& site : p.sites) p.read_tokens.push_back(site.token);
  p.all = make_query_rows(p.tree);
  p.reads = make_query_rows(p.tree, p.read_tokens);
  if (batch.kept) start_keeping(p, batch);
  return p;
}

void model::start_keeping(pass& p, const dlens_batch& batch) const {
  if (batch.keep_token >= batch.n_tokens) {
    fail(status::internal, "token ", batch.keep_token, " is to be kept; the pack has ", batch.n_tokens);
  }
  for (auto t = static_cast<std::int32_t>(batch.keep_token); t >= 0; t = batch.parent[t]) {
    p.kept_tokens.push_back(p.tree.place[t]);
  }
  std::reverse(p.kept_tokens.begin(), p.kept_tokens.end());
  p.kept = std::make_shared<kept_path>();
  p.kept->begin = static_cast<std::uint32_t>(p.tree.position[p.kept_tokens.front()]);
  p.kept->end = p.kept->begin + static_cast<std::uint32_t>(p.kept_tokens.size());
  if (p.kept->begin > 0) p.kept->above = p.above;
  p.kept->kv.reserve_raw(arch_.n_layers * p.kept_tokens.size() * kv_width());
}

void model::forward(const dlens_batch& batch, const std::vector<const lens*>& lenses, std::int32_t* final_top,
                    const dlens_readings* const* readings) const {
  const workspace_pool::handle handle(pool_);
  pass p = make_pass(batch, *handle);
  if (batch.n_reads == 0 && !p.kept) return;
  run_single_threaded([&] {
    p.scratch.products = {};
    const std::uint64_t start = now_ns();
    embed(p);
    for (std::uint32_t layer = 0; layer < arch_.n_layers; ++layer) {
      keep_reads(p, layer);
      run_block(p, layer, layer + 1 == arch_.n_layers);
    }
    const std::uint64_t read_start = now_ns();
    if (!p.sites.empty()) {
      copy_hidden(p, batch);
      readout_request request{&batch, std::move(p.sites), p.scratch.hidden.data(),
                              lenses, final_top,          readings};
      read_out({weights_, kernels_, arch_.n_layers, static_cast<float>(arch_.final_softcap),
                shapes_.get(arch_.d_model, gather_width)},
               request, p.scratch);
    }
    work_.add(p.scratch.products, read_start - start, now_ns() - read_start);
  });
  if (p.kept) *batch.kept = new dlens_prefix{std::move(p.kept)};
}

// The states that were kept at every layer, to the host's buffer, if it wants them.
void model::copy_hidden(const pass& p, const dlens_batch& batch) const {
  if (!batch.hidden) return;
  const std::size_t d = arch_.d_model, layers = arch_.n_layers + std::size_t{1};
  for (std::size_t i = 0; i < p.sites.size(); ++i)
    for (std::size_t layer = 0; layer < layers; ++layer)
      for (const std::uint32_t read : p.sites[i].reads)
        std::copy_n(p.scratch.hidden.data() + (layer * p.sites.size() + i) * d, d,
                    batch.hidden + (read * layers + layer) * d);
}

// In the proportions of a run that reads a row of the vocabulary for each token.
double model::product_rate(std::string_view precision, std::uint32_t threads, double seconds) const {
  const block_weights& block = weights_.blocks.front();
  std::vector<product_shape> shapes;
  for (const linear* l : {&block.q, &block.kv, &block.o, &block.down})
    shapes.insert(shapes.end(), arch_.n_layers, {l->matrix.inputs(), l->matrix.outputs()});
  shapes.insert(shapes.end(), arch_.n_layers,
                {arch_.d_model, (block.gated ? std::size_t{2} : 1) * arch_.d_ff});
  for (const packed_matrix& tile : weights_.unembed_tiles) shapes.push_back({tile.inputs(), tile.outputs()});
  return measure_product_rate(shapes, precision, threads, seconds);
}

}  // namespace depthlens::cpu
