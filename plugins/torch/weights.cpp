// SPDX-License-Identifier: Apache-2.0
#include "weights.hpp"

#include "device.hpp"
#include "parallel.hpp"
#include "upload.hpp"

#include "depthlens/backend/tensor_set.hpp"
#include "depthlens/base/error.hpp"

#include <algorithm>
#include <string>
#include <unordered_set>
#include <utility>

namespace depthlens::torch_backend {

namespace {

// Matrices in `type`, vectors in float32, on the device.
struct weight_loader {
  tensor_set tensors;
  const dlens_architecture& arch;
  at::ScalarType type;
  at::Device device;
  std::uint32_t threads;

  at::Tensor vector(const std::string& name, std::size_t n) const {
    const std::vector<float> values = tensors.optional_vector(name, n);
    if (values.empty()) return {};
    return to_device(values, device);
  }

  at::Tensor stack(const std::vector<weight_view>& parts, std::uint32_t n_threads = 1) const {
    return upload(parts, type, device, n_threads);
  }

  at::Tensor matrix(const std::string& name, std::size_t rows, std::size_t columns) const {
    return stack({tensors.matrix(name, rows, columns)}, threads);
  }

  void load(linear& to, const stacked_tensors& from) const {
    const at::Tensor no_bias = at::zeros({static_cast<std::int64_t>(from.rows)}, at::kFloat);
    std::vector<weight_view> parts;
    std::vector<at::Tensor> biases;
    bool biased = false;
    for (const std::string& name : from.names) {
      parts.push_back(tensors.matrix(name, from.rows, from.inputs));
      const at::Tensor bias = vector(name + ".bias", from.rows);
      biased |= bias.defined();
      biases.push_back(bias.defined() ? bias : no_bias.to(device));
    }
    to = linear(stack(parts), biased ? at::cat(biases).to(type) : at::Tensor());
  }

  // Absent if the model has no tensor of that name.
  void load(norm_weights& to, const std::string& name, std::size_t n) const {
    to = {.weight = vector(name, n),
          .bias = vector(name + ".bias", n),
          .kind = arch.norm_kind,
          .eps = arch.norm_eps};
    if (to.present() && arch.norm_offset != 0) to.weight = to.weight + arch.norm_offset;
  }
};

template <class Weights, class Visit>
void visit_block(Weights& b, const Visit& visit) {
  for (auto* l : {&b.q, &b.kv, &b.o, &b.inner, &b.down}) l->visit_tensors(visit);
  visit_norms(b, [&](auto& norm) { visit(norm.weight), visit(norm.bias); });
}

template <class Weights, class Visit>
void visit_tensors(Weights& w, const Visit& visit) {
  for (auto* t :
       {&w.embed, &w.position, &w.unembed, &w.unembed_bias, &w.final_norm.weight, &w.final_norm.bias})
    visit(*t);
  for (auto& b : w.blocks) visit_block(b, visit);
}

}  // namespace

at::Tensor norm_weights::apply(const at::Tensor& x) const {
  if (kind == DLENS_NORM_LAYER) return at::layer_norm(x, {width()}, weight, bias, eps);
  const auto by_steps = [&] {
    const at::Tensor scale = x.pow(2).mean(-1, /*keepdim=*/true).add_(eps).rsqrt_();
    return (x * scale).mul_(weight);
  };
  // On a GPU one kernel, by the newer versions of libtorch.
  at::Tensor out = x.is_cuda() ? at::rms_norm(x, {width()}, weight, eps) : by_steps();
  return bias.defined() ? out.add_(bias) : out;
}

std::size_t model_weights::bytes() const {
  std::unordered_set<const void*> seen;
  std::size_t out = 0;
  const auto add = [&](const at::Tensor& t) {
    if (t.defined() && seen.insert(t.unsafeGetTensorImpl()).second)
      out += static_cast<std::size_t>(t.numel()) * t.element_size();
  };
  visit_tensors(*this, add);
  if (unembed.device().type() == at::kCPU)
    for (const linear& tile : unembed_tiles) add(tile.weight());
  return out;
}

model_weights model_weights::to(at::Device device) const {
  model_weights out = *this;
  const bool tied = embed.is_same(unembed);
  visit_tensors(out, [&](at::Tensor& t) {
    if (t.defined()) t = t.to(device, t.scalar_type(), /*non_blocking=*/false, /*copy=*/true);
  });
  if (tied) out.unembed = out.embed;
  return out;
}

std::int64_t tile_ids(at::Device device) { return device.type() == at::kCUDA ? 4096 : 1024; }

void model_weights::make_ready(std::int64_t pack_tokens, std::uint32_t threads) {
  const at::Device device = unembed.device();
  const std::int64_t vocabulary = unembed.size(0), width = tile_ids(device);
  const bool cpu = device.type() == at::kCPU;
  unembed_tiles.resize(static_cast<std::size_t>((vocabulary + width - 1) / width));
  for_each_index(unembed_tiles.size(), threads, [&](std::size_t tile) {
    const std::int64_t first = static_cast<std::int64_t>(tile) * width,
                       n = std::min(width, vocabulary - first);
    const at::Tensor rows = unembed.narrow(0, first, n);
    const at::Tensor bias = unembed_bias.defined() ? unembed_bias.narrow(0, first, n) : at::Tensor();
    unembed_tiles[tile] = cpu ? linear(rows.to(at::kFloat), bias).packed(pack_tokens) : linear(rows, bias);
  });
  for_each_index(blocks.size(), threads, [&](std::size_t layer) {
    block_weights& b = blocks[layer];
    for (linear* l : {&b.q, &b.kv, &b.o, &b.inner, &b.down}) *l = l->packed(pack_tokens);
  });
}

model_weights load_weights(const dlens_weights& given, at::ScalarType type, at::Device device,
                           std::uint32_t threads) {
  const dlens_architecture& arch = *given.architecture;
  const weight_loader loader{
      .tensors = tensor_set(given), .arch = arch, .type = type, .device = device, .threads = threads};
  const std::size_t d = arch.d_model, v = arch.vocab_size;
  model_weights out;
  out.unembed = loader.matrix("unembed", v, d);
  const bool tied = loader.tensors.matrix("embed", v, d).data == loader.tensors.matrix("unembed", v, d).data;
  out.embed = tied ? out.unembed : loader.matrix("embed", v, d);
  if (loader.tensors.has("position")) {
    out.position = loader.stack(
        {loader.tensors.long_matrix("position", std::size_t{arch.max_positions} + arch.position_offset, d)});
  }
  out.unembed_bias = loader.vector("unembed.bias", v);
  loader.load(out.final_norm, "final_norm", d);
  if (!out.final_norm.present()) fail(status::data, "the model has no tensor final_norm");
  out.blocks.resize(arch.n_layers);
  for_each_index(arch.n_layers, threads, [&](std::size_t layer) {
    load_block(out.blocks[layer], loader.tensors, arch, static_cast<std::uint32_t>(layer), loader);
  });
  return out;
}

std::vector<model_weights> copies_on(const std::vector<at::Device>& devices, model_weights loaded) {
  std::vector<model_weights> out;
  for (std::size_t i = 0; i + 1 < devices.size(); ++i) out.push_back(loaded.to(devices[i]));
  out.push_back(std::move(loaded));
  for (std::size_t i = 0; i < out.size(); ++i)
    if (const at::Device there = out[i].unembed.device(); there != devices[i])
      fail(status::internal, "weights for ", devices[i].str(), " lie on ", there.str());
  return out;
}

}  // namespace depthlens::torch_backend
