// SPDX-License-Identifier: Apache-2.0
// The pack goes through the model block by block in tree order. The residual stream, norms and rotary
// positions are float32, matrix products in the precision asked for. The last block computes keys and values
// of all tokens, and the rest for the tokens that are read.
#include "model.hpp"

#include "device.hpp"
#include "product_rate.hpp"
#include "readout.hpp"

#include "depthlens/base/error.hpp"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

namespace depthlens::torch_backend {

namespace {

constexpr std::int64_t cpu_pack_tokens = 1024;  // more does not run faster
constexpr std::uint32_t calls_of_gpu = 3;  // at once: the host prepares and reads others while one computes

struct turned {
  at::Tensor cosine, sine;  // (T, 1, rope_dims / 2), float32
};

// Angles are products in float32, as dlens_architecture says.
turned angles(const at::Tensor& position, const at::Tensor& inverse_frequency, double scale) {
  const at::Tensor angle =
      (position.to(at::kFloat).unsqueeze(1) * inverse_frequency.unsqueeze(0)).to(at::kDouble);
  const auto table = [&](const at::Tensor& values) {
    const at::Tensor rounded = values.to(at::kFloat).unsqueeze(1);
    return scale == 1 ? rounded : rounded * scale;
  };
  return {table(angle.cos()), table(angle.sin())};
}

}  // namespace

struct model::pass {
  const replica& on;
  const token_tree& tree;
  at::Tensor position;             // (T) in tree order
  turned everywhere, local;        // rotary angles, the second for layers with a window
  at::Tensor stream;               // (T, D) float32
  std::vector<at::Tensor> hidden;  // layers 0..n of the read tokens, (P, D) float32
  product_counter products;
};

// The tokens whose rows a block makes, of the T that enter it.
struct model::block_rows {
  at::Tensor tokens;  // indices in tree order, undefined = all
  tree_attention attention;

  // Their rows of a tensor with one for each token.
  at::Tensor of(const at::Tensor& rows) const {
    return tokens.defined() ? rows.index_select(0, tokens) : rows;
  }
};

model::model(const dlens_weights& weights, const dlens_model_options& options)
    : arch_(checked_architecture(weights)), tables_(take_tables(arch_)) {
  const c10::InferenceMode guard;
  refuse_other_libtorch(libtorch_version());
  const std::vector<at::Device> devices = parse_devices(options.device ? options.device : "auto");
  const precision form = parse_precision(options.precision ? options.precision : "f32", devices[0]);
  set_numeric_options(form);
  type_ = form.type;
  attention_shape_ = make_attention_shape();
  std::vector<model_weights> copies =
      copies_on(devices, load_weights(weights, type_, devices.back(), options.threads));
  for (std::size_t i = 0; i < devices.size(); ++i)
    replicas_.emplace_back(
        new replica{.device = devices[i],
                    .weights = std::move(copies[i]),
                    .inverse_frequency = to_device(tables_.inverse_frequency, devices[i]),
                    .local_inverse_frequency = to_device(tables_.local_inverse_frequency, devices[i]),
                    .index = i,
                    .in_flight = 0,
                    .room = {}});
  device_text_ = describe_devices(devices, form);
  for (const auto& r : replicas_) {
    r->weights.make_ready(cpu_pack_tokens, options.threads);
    finish_stream(r->device);  // calls come on streams of their own
  }
  make_info(options.threads);
}

void model::make_info(std::uint32_t threads) {
  const std::uint64_t q_width = 1ull * arch_.n_heads * arch_.head_dim,
                      kv_width = 2ull * arch_.n_kv_heads * arch_.head_dim;
  const std::uint64_t states = arch_.n_layers + 1ull;  // of a token that is read
  const std::uint64_t per_token =
      4ull * ((6 + states) * arch_.d_model + 3 * q_width + 3 * kv_width + 4ull * arch_.d_ff) + 4096;
  std::uint64_t pack = cpu_pack_tokens;
  std::uint32_t calls = 0;  // as many as there are threads
  if (replicas_[0]->device.type() == at::kCUDA) {
    // Half of what is free, shared by the calls in flight; more than this keeps no GPU busier.
    std::size_t free = std::numeric_limits<std::size_t>::max();
    for (const auto& r : replicas_) free = std::min(free, free_device_memory(r->device));
    const std::uint64_t room = free / 2 / std::clamp(threads, 1u, calls_of_gpu);
    pack = std::clamp<std::uint64_t>(room / per_token, 512, 16384);
    calls = calls_of_gpu * static_cast<std::uint32_t>(replicas_.size());
  }
  weights_text_ = type_ == at::kFloat ? "f32" : type_ == at::kBFloat16 ? "bf16" : "f16";
  std::uint64_t bytes = 0;
  for (const auto& r : replicas_) bytes += r->weights.bytes();
  info_ = {.size = sizeof(dlens_model_info),
           .pack_tokens = static_cast<std::uint32_t>(pack),
           .weight_bytes = bytes,
           .bytes_per_token = sizeof(float) * arch_.d_model + 64,
           .bytes_per_read = (sizeof(float) * arch_.d_model + 64) * (arch_.n_layers + 1ull),
           .weights = weights_text_.c_str(),
           .device = device_text_.c_str(),
           .prefix_bytes_per_token = 0,
           .calls = calls};
}

attention_shape model::make_attention_shape() const {
  std::set<std::uint32_t> windows(tables_.windows.begin(), tables_.windows.end());
  if (windows.empty()) windows.insert(0);
  return {.n_heads = arch_.n_heads,
          .n_kv_heads = arch_.n_kv_heads,
          .head_dim = arch_.head_dim,
          .scale = arch_.attention_scale,
          .softcap = arch_.attention_softcap,
          .windows = {windows.begin(), windows.end()},
          .type = type_};
}

lens model::make_lens(std::uint64_t n, const dlens_transport* const* transports) const {
  const c10::InferenceMode guard;
  std::vector<at::Device> devices;
  for (const auto& r : replicas_) devices.push_back(r->device);
  lens made = torch_backend::make_lens(n, transports, arch_.n_layers, arch_.d_model, devices);
  for (const at::Device& device : devices) finish_stream(device);
  return made;
}

// Takes the replica with the fewest calls.
class model::replica_use {
 public:
  explicit replica_use(const model& of) : guard_(of.in_flight_guard_), replica_(take(of)) {}
  ~replica_use() {
    const std::lock_guard lock(guard_);
    --replica_.in_flight;
  }
  replica_use(const replica_use&) = delete;
  replica_use& operator=(const replica_use&) = delete;

  const replica& taken() const { return replica_; }

 private:
  static const replica& take(const model& of) {
    const std::lock_guard lock(of.in_flight_guard_);
    const auto& all = of.replicas_;
    const auto free = std::min_element(
        all.begin(), all.end(), [](const auto& a, const auto& b) { return a->in_flight < b->in_flight; });
    ++(*free)->in_flight;
    return **free;
  }

  std::mutex& guard_;
  const replica& replica_;
};

void model::forward(const dlens_batch& batch, const std::vector<const lens*>& lenses, std::int32_t* final_top,
                    const dlens_readings* const* readings) const {
  if (batch.prefix || batch.kept) fail(status::internal, "this backend keeps no prefixes");
  const token_tree tree = make_token_tree(batch, {arch_.vocab_size, arch_.max_positions});
  if (batch.n_reads == 0) return;
  const replica_use use(*this);
  const replica& on = use.taken();
  on.room.call([&] { forward_on(on, batch, tree, lenses, final_top, readings); });
}

void model::forward_on(const replica& on, const dlens_batch& batch, const token_tree& tree,
                       const std::vector<const lens*>& lenses, std::int32_t* final_top,
                       const dlens_readings* const* readings) const {
  const c10::InferenceMode guard;
  const own_stream stream(on.device);
  if (on.device.type() == at::kCPU)
    at::set_num_threads(1);  // the host calls from as many threads as there are
  std::vector<read_site> sites = make_read_sites(batch, tree);
  const std::uint64_t start = now_ns();
  const pass p = run_blocks(on, tree, sites);
  finish_stream(on.device);
  const std::uint64_t read_start = now_ns();
  copy_hidden(p, sites, batch);
  product_counter products = p.products;
  readout_request request{.batch = &batch,
                          .sites = std::move(sites),
                          .hidden = p.hidden,
                          .lenses = lenses,
                          .final_top = final_top,
                          .readings = readings};
  read_out({.weights = on.weights,
            .softcap = arch_.final_softcap,
            .n_layers = arch_.n_layers,
            .device_index = on.index,
            .products = products},
           request);
  work_.add(products, read_start - start, now_ns() - read_start);
}

std::vector<at::Tensor> model::states(const dlens_batch& batch) const {
  const token_tree tree = make_token_tree(batch, {arch_.vocab_size, arch_.max_positions});
  const c10::InferenceMode guard;
  return run_blocks(*replicas_[0], tree, make_read_sites(batch, tree)).hidden;
}

model::pass model::run_blocks(const replica& on, const token_tree& tree,
                              const std::vector<read_site>& sites) const {
  std::vector<std::int64_t> every(tree.token.size()), read_tokens;
  std::iota(every.begin(), every.end(), 0);
  for (const read_site& s : sites) read_tokens.push_back(s.token);
  const at::Tensor position = to_device(tree.position, on.device);
  const turned everywhere = angles(position, on.inverse_frequency, arch_.rope_scale);
  const bool local = !tables_.local_inverse_frequency.empty();
  pass p{.on = on,
         .tree = tree,
         .position = position,
         .everywhere = everywhere,
         .local = local ? angles(position, on.local_inverse_frequency, 1) : everywhere,
         .stream = {},
         .hidden = {},
         .products = {}};
  const block_rows all{.tokens = {}, .attention = {tree, every, attention_shape_, on.device}};
  const block_rows read{.tokens = to_device(read_tokens, on.device),
                        .attention = {tree, read_tokens, attention_shape_, on.device}};
  p.stream = embed(p);
  const std::uint32_t last = arch_.n_layers - 1;
  for (std::uint32_t layer = 0; layer <= last; ++layer) {
    p.hidden.push_back(read.of(p.stream));
    run_block(p, layer, layer < last ? all : read);
  }
  p.hidden.push_back(p.stream);
  return p;
}

// In the proportions of a run that reads a row of the vocabulary for each token. What GPUs reach one after
// the other is what they reach together.
double model::product_rate(std::string_view form, std::uint32_t threads, double seconds) const {
  const std::int64_t d = arch_.d_model, f = arch_.d_ff, head = arch_.head_dim;
  const std::int64_t q = arch_.n_heads * head, kv = 2 * std::int64_t{arch_.n_kv_heads} * head;
  const model_weights& w = replicas_[0]->weights;
  const std::int64_t inner = w.blocks.front().gated ? 2 * f : f;
  std::vector<product_shape> shapes;
  for (const product_shape& s : {product_shape{d, q}, {d, kv}, {q, d}, {d, inner}, {f, d}})
    shapes.insert(shapes.end(), arch_.n_layers, s);
  for (const linear& tile : w.unembed_tiles) shapes.push_back({d, tile.weight().size(0)});
  std::set<c10::DeviceIndex> seen;  // the CPU is one device, however often it is named
  double rate = 0;
  for (const auto& r : replicas_)
    if (seen.insert(r->device.index()).second)
      rate += measure_product_rate(shapes, parse_precision(form, r->device).type, r->device, threads,
                                   seconds / static_cast<double>(replicas_.size()));
  return rate;
}

// To the host's buffer, if it wants them.
void model::copy_hidden(const pass& p, const std::vector<read_site>& sites, const dlens_batch& batch) const {
  if (!batch.hidden) return;
  const std::size_t d = arch_.d_model, layers = p.hidden.size();
  for (std::size_t layer = 0; layer < layers; ++layer) {
    const at::Tensor states = p.hidden[layer].to(at::kCPU).contiguous();
    for (std::size_t i = 0; i < sites.size(); ++i)
      for (const std::uint32_t read : sites[i].reads)
        std::copy_n(states.const_data_ptr<float>() + i * d, d, batch.hidden + (read * layers + layer) * d);
  }
}

at::Tensor model::embed(const pass& p) const {
  const model_weights& w = p.on.weights;
  const at::Tensor token = to_device(p.tree.token, p.on.device);
  at::Tensor h = w.embed.index_select(0, token).to(at::kFloat);
  if (arch_.embed_scale != 1) h = h * arch_.embed_scale;
  if (w.position.defined())
    h = h + w.position.index_select(0, p.position + static_cast<int>(arch_.position_offset));
  return h;
}

// The stream holds the rows `made` alone afterwards.
void model::run_block(pass& p, std::uint32_t layer, const block_rows& made) const {
  const block_weights& block = p.on.weights.blocks[layer];
  const bool parallel = arch_.block_form == DLENS_BLOCK_PARALLEL;
  const auto normed = [](const norm_weights& n, const at::Tensor& x) { return n.present() ? n.apply(x) : x; };
  const at::Tensor x = normed(block.attn_norm, p.stream).to(type_);  // for several products
  at::Tensor h = made.of(p.stream);
  const at::Tensor x_rows = made.of(x);
  const at::Tensor mixed = normed(block.attn_post_norm, attention(p, layer, x, x_rows, made));
  if (parallel) {
    const at::Tensor inner = block.ffn_norm.present() ? block.ffn_norm.apply(h) : x_rows;
    p.stream = h + mixed + normed(block.ffn_post_norm, feed_forward(p, block, inner));
    return;
  }
  h.add_(mixed);
  p.stream = h.add_(normed(block.ffn_post_norm, feed_forward(p, block, normed(block.ffn_norm, h))));
}

// x (T, D), x_queries (rows made, D), of the products' type -> (rows made, D), float32.
at::Tensor model::attention(pass& p, std::uint32_t layer, const at::Tensor& x, const at::Tensor& x_queries,
                            const block_rows& made) const {
  const block_weights& block = p.on.weights.blocks[layer];
  const std::int64_t head = arch_.head_dim, n_heads = arch_.n_heads, n_kv = arch_.n_kv_heads;
  const turned& angle = is_local(layer) ? p.local : p.everywhere;
  const auto place = [&](const norm_weights& norm, at::Tensor heads, const at::Tensor& cosine,
                         const at::Tensor& sine) {
    const at::ScalarType type = heads.scalar_type();
    if (norm.present()) {
      const auto shape = heads.sizes().vec();
      heads = norm.apply(heads.to(at::kFloat).reshape({heads.size(0), -1, norm.width()})).view(shape);
    }
    return turn(heads.to(at::kFloat), cosine, sine).to(type);
  };
  at::Tensor q = block.q.apply(x_queries, &p.products).view({-1, n_heads, head});
  const at::Tensor kv = block.kv.apply(x, &p.products).view({-1, 2 * n_kv, head});
  q = place(block.q_norm, q, made.of(angle.cosine), made.of(angle.sine));
  const at::Tensor k = place(block.k_norm, kv.narrow(1, 0, n_kv), angle.cosine, angle.sine);
  const at::Tensor v = kv.narrow(1, n_kv, n_kv);
  const at::Tensor out = made.attention.apply(q, k, v, tables_.window(layer));
  return block.o.apply(out, &p.products).to(at::kFloat);
}

at::Tensor model::feed_forward(pass& p, const block_weights& block, const at::Tensor& x) const {
  const std::int64_t f = arch_.d_ff;
  at::Tensor inner = block.inner.apply(x, &p.products);
  inner = block.gated ? activate(inner.narrow(1, 0, f)).mul_(inner.narrow(1, f, f)) : activate(inner);
  return block.down.apply(inner, &p.products).to(at::kFloat);
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
