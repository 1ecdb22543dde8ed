// SPDX-License-Identifier: Apache-2.0
// The pack goes through the model block by block in tree order. The residual stream, norms and rotary positions are
// float32, matrix products in the precision asked for. The last block computes keys and values of all tokens, and the
// rest for the tokens that are read.
#include "model.hpp"

#include "device.hpp"
#include "readout.hpp"

#include "depthlens/backend/checked_architecture.hpp"
#include "depthlens/error.hpp"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace depthlens::torch_backend {

namespace {

at::Tensor apply(const linear& map, const at::Tensor& x) {
  return at::linear(x.to(map.weight.scalar_type()), map.weight, map.bias);
}

at::Tensor indices(const std::vector<std::int64_t>& values, at::Device device) {
  return at::tensor(at::ArrayRef<std::int64_t>(values), at::kLong).to(device);
}

struct turned {
  at::Tensor cosine, sine;  // (T, 1, rope_dims / 2), float32
};

// Angles are products in float32, as dlens_architecture says.
turned angles(const at::Tensor& position, const at::Tensor& inverse_frequency) {
  const at::Tensor angle =
      (position.to(at::kFloat).unsqueeze(1) * inverse_frequency.unsqueeze(0)).to(at::kDouble);
  return {angle.cos().to(at::kFloat).unsqueeze(1), angle.sin().to(at::kFloat).unsqueeze(1)};
}

}  // namespace

struct model::pass {
  const replica& on;
  const cpu::token_tree& tree;
  at::Tensor position, reads;  // (T), (P): indices in tree order
  turned everywhere, local;    // rotary angles, the second for layers with a window
  tree_attention all, of_reads;
  at::Tensor stream;               // (T, D) float32
  std::vector<at::Tensor> hidden;  // layers 0..n of the read tokens, (P, D) float32
};

model::model(const dlens_weights& weights, const dlens_model_options& options)
    : arch_(checked_architecture(weights)),
      type_(parse_precision(options.precision ? options.precision : "f32")) {
  const c10::InferenceMode guard;
  set_numeric_options();
  const std::vector<at::Device> devices = parse_devices(options.device ? options.device : "auto");
  const std::size_t half = arch_.rope_dims / 2;
  const float* local = arch_.local_rope_inverse_frequency;
  if (half > 0) inverse_frequency_.assign(arch_.rope_inverse_frequency, arch_.rope_inverse_frequency + half);
  if (half > 0 && local) local_inverse_frequency_.assign(local, local + half);
  if (arch_.window) windows_.assign(arch_.window, arch_.window + arch_.n_layers);
  arch_.rope_inverse_frequency = arch_.local_rope_inverse_frequency = nullptr;
  arch_.window = nullptr;
  model_weights first = load_weights(weights, type_, devices[0], options.threads);
  const auto frequencies = [&](const std::vector<float>& values, at::Device device) {
    return at::tensor(at::ArrayRef<float>(values), at::kFloat).to(device);
  };
  for (std::size_t i = 0; i < devices.size(); ++i) {
    auto r = std::make_unique<replica>(
        devices[i], i + 1 == devices.size() ? std::move(first) : first.to(devices[i]),
        frequencies(inverse_frequency_, devices[i]), frequencies(local_inverse_frequency_, devices[i]));
    replicas_.push_back(std::move(r));
  }
  device_text_ = describe_devices(devices);
  make_info(options.threads);
}

void model::make_info(std::uint32_t threads) {
  const at::Device device = replicas_[0]->device;
  const std::uint64_t q_width = 1ull * arch_.n_heads * arch_.head_dim,
                      kv_width = 2ull * arch_.n_kv_heads * arch_.head_dim;
  const std::uint64_t per_token =
      4ull * (6ull * arch_.d_model + 3 * q_width + 3 * kv_width + 4ull * arch_.d_ff) + 4096;
  std::uint64_t pack = 1024;
  if (device.type() == at::kCUDA) {
    // Half of what is free, shared by the calls in flight; more than this keeps no GPU busier.
    const std::uint64_t room = free_device_memory(device) / 2 / std::max(1u, threads);
    pack = std::clamp<std::uint64_t>(room / per_token, 512, 16384);
  }
  weights_text_ = type_ == at::kFloat ? "f32" : type_ == at::kBFloat16 ? "bf16" : "f16";
  std::uint64_t bytes = 0;
  for (const auto& r : replicas_) bytes += r->weights.bytes();
  info_ = {
      sizeof(dlens_model_info), static_cast<std::uint32_t>(pack), bytes, per_token, weights_text_.c_str(),
      device_text_.c_str()};
}

std::vector<std::uint32_t> model::distinct_windows() const {
  if (windows_.empty()) return {0};
  const std::set<std::uint32_t> distinct(windows_.begin(), windows_.end());
  return {distinct.begin(), distinct.end()};
}

lens model::make_lens(std::uint64_t n, const dlens_transport* const* transports) const {
  const c10::InferenceMode guard;
  std::vector<at::Device> devices;
  for (const auto& r : replicas_) devices.push_back(r->device);
  return torch_backend::make_lens(n, transports, arch_.n_layers, arch_.d_model, devices);
}

const model::replica& model::take_replica() const {
  const auto free = std::min_element(replicas_.begin(), replicas_.end(), [](const auto& a, const auto& b) {
    return a->in_flight < b->in_flight;
  });
  ++(*free)->in_flight;
  return **free;
}

void model::forward(const dlens_batch& batch, const std::vector<const lens*>& lenses, std::int32_t* final_top,
                    const dlens_readings* const* readings) const {
  if (batch.prefix || batch.kept) fail(status::internal, "this backend keeps no prefixes");
  const cpu::token_tree tree = cpu::make_token_tree(batch, {arch_.vocab_size, arch_.max_positions});
  if (batch.n_reads == 0) return;
  const c10::InferenceMode guard;
  const replica& on = take_replica();
  const struct release {
    const replica& r;
    ~release() { --r.in_flight; }
  } releases{on};
  if (on.device.type() == at::kCPU)
    at::set_num_threads(1);  // the host calls from as many threads as there are
  std::vector<site> sites = make_sites(batch, tree);
  const std::vector<at::Tensor> hidden = run_blocks(on, tree, sites);
  copy_hidden(hidden, sites, batch);
  const auto index = static_cast<std::size_t>(
      std::find_if(replicas_.begin(), replicas_.end(), [&](const auto& r) { return r.get() == &on; }) -
      replicas_.begin());
  read_out({on.weights, arch_.final_softcap, arch_.n_layers, index},
           {&batch, std::move(sites), hidden, lenses, final_top, readings});
}

std::vector<at::Tensor> model::states(const dlens_batch& batch) const {
  const cpu::token_tree tree = cpu::make_token_tree(batch, {arch_.vocab_size, arch_.max_positions});
  const c10::InferenceMode guard;
  return run_blocks(*replicas_[0], tree, make_sites(batch, tree));
}

std::vector<at::Tensor> model::run_blocks(const replica& on, const cpu::token_tree& tree,
                                          const std::vector<site>& sites) const {
  std::vector<std::int64_t> every(tree.token.size()), read_tokens;
  for (std::size_t t = 0; t < every.size(); ++t) every[t] = static_cast<std::int64_t>(t);
  for (const site& s : sites) read_tokens.push_back(s.token);
  const at::Tensor position = at::tensor(at::ArrayRef<std::int32_t>(tree.position), at::kInt).to(on.device);
  pass p{
      on,
      tree,
      position,
      indices(read_tokens, on.device),
      angles(position, on.inverse_frequency),
      angles(position, local_inverse_frequency_.empty() ? on.inverse_frequency : on.local_inverse_frequency),
      tree_attention(tree, every, distinct_windows(), on.device),
      tree_attention(tree, read_tokens, distinct_windows(), on.device),
      {},
      {}};
  p.stream = embed(p);
  for (std::uint32_t layer = 0; layer < arch_.n_layers; ++layer) {
    p.hidden.push_back(p.stream.index_select(0, p.reads));
    run_block(p, layer);
  }
  p.hidden.push_back(p.stream);
  return std::move(p.hidden);
}

// To the host's buffer, if it wants them.
void model::copy_hidden(const std::vector<at::Tensor>& hidden, const std::vector<site>& sites,
                        const dlens_batch& batch) const {
  if (!batch.hidden) return;
  const std::size_t d = arch_.d_model, layers = hidden.size();
  for (std::size_t layer = 0; layer < layers; ++layer) {
    const at::Tensor states = hidden[layer].to(at::kCPU).contiguous();
    for (std::size_t i = 0; i < sites.size(); ++i)
      for (const std::uint32_t read : sites[i].reads)
        std::copy_n(states.const_data_ptr<float>() + i * d, d, batch.hidden + (read * layers + layer) * d);
  }
}

at::Tensor model::embed(const pass& p) const {
  const model_weights& w = p.on.weights;
  const at::Tensor token = at::tensor(at::ArrayRef<std::int32_t>(p.tree.token), at::kInt).to(p.on.device);
  at::Tensor h = w.embed.index_select(0, token).to(at::kFloat);
  if (arch_.embed_scale != 1) h = h * arch_.embed_scale;
  if (w.position.defined())
    h = h + w.position.index_select(0, p.position + static_cast<int>(arch_.position_offset));
  return h;
}

// The stream after the last block holds the read tokens alone.
void model::run_block(pass& p, std::uint32_t layer) const {
  const block_weights& block = p.on.weights.blocks[layer];
  const bool reads_only = layer + 1 == arch_.n_layers, parallel = arch_.block_form == DLENS_BLOCK_PARALLEL;
  const auto normed = [](const norm_weights& n, const at::Tensor& x) { return n.present() ? n.apply(x) : x; };
  const at::Tensor x = normed(block.attn_norm, p.stream);
  at::Tensor h = reads_only ? p.stream.index_select(0, p.reads) : p.stream;
  const at::Tensor x_rows = reads_only ? x.index_select(0, p.reads) : x;
  const at::Tensor mixed = normed(block.attn_post_norm, attention(p, layer, x, x_rows));
  if (parallel) {
    const at::Tensor inner = block.ffn_norm.present() ? block.ffn_norm.apply(h) : x_rows;
    p.stream = h + mixed + normed(block.ffn_post_norm, feed_forward(block, inner));
    return;
  }
  h = h + mixed;
  p.stream = h + normed(block.ffn_post_norm, feed_forward(block, normed(block.ffn_norm, h)));
}

// x (T, D), x_queries (T or P, D) -> (T or P, D), float32.
at::Tensor model::attention(pass& p, std::uint32_t layer, const at::Tensor& x,
                            const at::Tensor& x_queries) const {
  const block_weights& block = p.on.weights.blocks[layer];
  const bool reads_only = x_queries.size(0) != x.size(0) || layer + 1 == arch_.n_layers;
  const std::int64_t head = arch_.head_dim, n_heads = arch_.n_heads, n_kv = arch_.n_kv_heads;
  const turned& angle = is_local(layer) ? p.local : p.everywhere;
  const auto select = [&](const at::Tensor& t) { return reads_only ? t.index_select(0, p.reads) : t; };
  const auto place = [&](const norm_weights& norm, at::Tensor heads, const at::Tensor& cosine,
                         const at::Tensor& sine) {
    const at::ScalarType type = heads.scalar_type();
    if (norm.present()) {
      const auto shape = heads.sizes().vec();
      heads = norm.apply(heads.to(at::kFloat).reshape({heads.size(0), -1, norm.width()})).view(shape);
    }
    return turn(heads.to(at::kFloat), cosine, sine).to(type);
  };
  at::Tensor q = apply(block.q, x_queries).view({-1, n_heads, head});
  const at::Tensor kv = apply(block.kv, x).view({-1, 2 * n_kv, head});
  q = place(block.q_norm, q, select(angle.cosine), select(angle.sine));
  const at::Tensor k = place(block.k_norm, kv.narrow(1, 0, n_kv), angle.cosine, angle.sine);
  const tree_attention& tree = reads_only ? p.of_reads : p.all;
  const at::Tensor out = tree.apply(q, k, kv.narrow(1, n_kv, n_kv),
                                    {n_heads, n_kv, head, arch_.attention_scale, arch_.attention_softcap},
                                    windows_.empty() ? 0 : windows_[layer]);
  return apply(block.o, out).to(at::kFloat);
}

at::Tensor model::feed_forward(const block_weights& block, const at::Tensor& x) const {
  const at::Tensor inner = apply(block.gate_up, x);
  if (!block.gated) return apply(block.down, activate(inner)).to(at::kFloat);
  const std::int64_t f = arch_.d_ff;
  return apply(block.down, activate(inner.narrow(1, 0, f)).mul_(inner.narrow(1, f, f))).to(at::kFloat);
}

at::Tensor model::activate(const at::Tensor& x) const {
  switch (arch_.activation) {
    case DLENS_ACTIVATION_SILU:
      return at::silu(x);
    case DLENS_ACTIVATION_GELU:
      return at::gelu(x, "none");
    case DLENS_ACTIVATION_GELU_TANH:
      return at::gelu(x, "tanh");
    default:
      return at::relu(x);
  }
}

// heads (rows, heads, head_dim); cosine, sine (rows, 1, rope_dims / 2).
at::Tensor model::turn(const at::Tensor& heads, const at::Tensor& cosine, const at::Tensor& sine) const {
  const std::int64_t dims = arch_.rope_dims, head = arch_.head_dim;
  if (dims == 0) return heads;
  const bool interleaved = arch_.rope_kind == DLENS_ROPE_INTERLEAVED;
  const at::Tensor part = heads.narrow(2, 0, dims);
  const at::Tensor a = interleaved ? part.slice(2, 0, dims, 2) : part.narrow(2, 0, dims / 2);
  const at::Tensor b = interleaved ? part.slice(2, 1, dims, 2) : part.narrow(2, dims / 2, dims / 2);
  const at::Tensor x = a * cosine - b * sine, y = b * cosine + a * sine;
  at::Tensor out = interleaved ? at::stack({x, y}, 3).flatten(2) : at::cat({x, y}, 2);
  return dims == head ? out : at::cat({out, heads.narrow(2, dims, head - dims)}, 2);
}

}  // namespace depthlens::torch_backend
