// SPDX-License-Identifier: Apache-2.0
// The model's two ways to readings: forward takes a pack through all stages in one call, with weights that
// are held; begin_pass and run_pass take it through one by one, while the host has the weights streamed. What
// is done in a stage is the same (pass.cpp).
#include "model.hpp"

#include "block_products.hpp"
#include "known_ops.hpp"
#include "pass.hpp"

#include "depthlens/backend/product_counts.hpp"
#include "depthlens/base/error.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace depthlens::torch_backend {

namespace {

std::vector<at::Device> asked_devices(const dlens_model_options& options) {
  refuse_other_libtorch(libtorch_version());
  return parse_devices(options.device ? options.device : "auto");
}

precision asked_precision(const dlens_model_options& options, at::Device device) {
  return parse_precision(options.precision ? options.precision : "f32", device);
}

}  // namespace

model::model(const dlens_weights& weights, const dlens_model_options& options)
    : arch_(checked_architecture(weights, known_ops)),
      devices_(asked_devices(options)),
      form_(asked_precision(options, devices_[0])) {
  const c10::InferenceMode guard;
  set_numeric_options(form_);
  make_info(weights, options);
  stages_ = std::make_unique<weight_stages>(weights, arch_, devices_, form_.type, options.stream != 0);
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    replicas_.emplace_back(new replica{.device = devices_[i], .index = i, .weights = stages_->weights(i)});
    for (const rope_table& table : arch_.ropes) {
      replicas_.back()->inverse_frequencies.push_back(to_device(table.inverse_frequency, devices_[i]));
      replicas_.back()->long_frequencies.push_back(to_device(table.long_inverse_frequency, devices_[i]));
    }
  }
  for (const at::Device& device : devices_) finish_stream(device);  // calls come on streams of their own
  if (!stages_->streamed()) stages_->load_all(options.threads);
  info_.weight_bytes = stages_->bytes();
  info_.stages = stages_->streamed() ? stages_->count() : 0;
}

dlens_model_needs model::needs(const dlens_weights& weights, const dlens_model_options& options) {
  const std::vector<at::Device> devices = asked_devices(options);
  return needs_of(weights, place_on(devices, asked_precision(options, devices[0]).type), options);
}

// As needs says it, with the same memory free: before weights are there.
void model::make_info(const dlens_weights& weights, const dlens_model_options& options) {
  const dlens_model_needs needs = needs_of(weights, place_on(devices_, form_.type), options);
  weights_text_ = form_.type == at::kFloat ? "f32" : form_.type == at::kBFloat16 ? "bf16" : "f16";
  device_text_ = describe_devices(devices_, form_);
  info_ = {.size = sizeof(dlens_model_info),
           .pack_tokens = needs.pack_tokens,
           .weight_bytes = 0,
           .bytes_per_token = needs.bytes_per_token,
           .bytes_per_read = needs.bytes_per_read,
           .weights = weights_text_.c_str(),
           .device = device_text_.c_str(),
           .prefix_bytes_per_token = 0,
           .calls = needs.calls,
           .stages = 0};
}

lens model::make_lens(std::uint64_t n, const dlens_transport* const* transports) const {
  const c10::InferenceMode guard;
  lens made = torch_backend::make_lens(n, transports, arch_.n_layers(), arch_.all.d_model, devices_);
  for (const at::Device& device : devices_) finish_stream(device);
  return made;
}

void model::forward(const dlens_batch& batch, const std::vector<const lens*>& lenses, std::int32_t* final_top,
                    const dlens_readings* const* readings) const {
  if (stages_->streamed()) fail(status::internal, "a streamed model takes passes, stage by stage");
  const replica_use use(*this, batch.n_tokens);
  const replica& on = use.taken();
  on.room.call([&] {
    const device_call here(on.device);
    pass p(*this, on, batch, lenses, final_top, readings);
    if (!p.is_needed()) return;
    const std::uint64_t start = now_ns();
    product_counter products;
    {
      block_call call(*this, p, 0, arch_.n_layers());
      for (std::uint32_t layer = 0; layer < arch_.n_layers(); ++layer) enter_block(call, layer);
      products = call.products;
    }
    finish_stream(on.device);
    const std::uint64_t read_start = now_ns();
    const auto n_readouts = static_cast<std::uint32_t>(on.weights.readouts.size());
    for (std::uint32_t i = 0; i < n_readouts; ++i) read_stage(p, i, products);
    work_.add(products, read_start - start, now_ns() - read_start);
  });
}

std::uint32_t model::stage_parts(std::uint32_t stage) const {
  return stage < stages_->count() ? stages_->parts(stage) : 0;
}

void model::load_stage(std::uint32_t stage, std::uint32_t part) const {
  const std::uint64_t start = now_ns();
  replicas_[part % replicas_.size()]->room.call([&] { stages_->load(stage, part); });
  work_.add_load(now_ns() - start);
}

std::unique_ptr<model::pass> model::begin_pass(const dlens_batch& batch,
                                               const std::vector<const lens*>& lenses,
                                               std::int32_t* final_top,
                                               const dlens_readings* const* readings) const {
  auto use = std::make_unique<replica_use>(*this, batch.n_tokens);
  const replica& on = use->taken();
  std::unique_ptr<pass> begun;
  on.room.call([&] {
    const device_call here(on.device);
    begun = std::make_unique<pass>(*this, on, batch, lenses, final_top, readings);
    finish_stream(on.device);  // the next call comes on another stream
  });
  begun->use = std::move(use);
  return begun;
}

void model::run_pass(pass& p, std::uint32_t stage, const dlens_prefix*, dlens_prefix**) const {
  if (!p.is_needed()) return;
  const bool is_block = stage < arch_.n_layers(), done = stage + 1 == stages_->count();
  p.on.room.call([&] {
    const device_call here(p.on.device);
    const std::uint64_t start = now_ns();
    product_counter products;
    if (is_block) {
      block_call call(*this, p, stage, stage + 1);
      enter_block(call, stage);
      products = call.products;
    } else {
      read_stage(p, stage - arch_.n_layers(), products);
    }
    finish_stream(p.on.device);
    const std::uint64_t took = now_ns() - start;
    work_.add(products, is_block ? took : 0, is_block ? 0 : took, done ? 1 : 0);
  });
}

std::vector<at::Tensor> model::states(const dlens_batch& batch) const {
  if (stages_->streamed()) fail(status::internal, "a streamed model does not train");
  const c10::InferenceMode guard;
  dlens_batch only_read = batch;
  only_read.kept = nullptr;
  pass p(*this, *replicas_[0], only_read, {}, nullptr, nullptr);
  block_call call(*this, p, 0, arch_.n_layers());
  for (std::uint32_t layer = 0; layer < arch_.n_layers(); ++layer) enter_block(call, layer);
  return std::move(p.hidden);
}

unembedding model::make_unembedding(std::uint32_t threads) const {
  const c10::InferenceMode guard;
  const model_weights& w = weights();
  unembedding out{upload({w.unembed}, {0, w.unembed.rows}, form_.type, devices_[0], threads), w.unembed_bias,
                  arch_.all.final_softcap};
  if (!w.out_projection.present()) return out;
  if (const at::Tensor& bias = w.out_projection.bias(); bias.defined()) {
    const at::Tensor more = float_product(out.weight, bias.unsqueeze(1)).squeeze(1);
    out.bias = out.bias.defined() ? out.bias + more : more;
  }
  out.weight = float_product(out.weight, w.out_projection.weight()).to(form_.type);
  return out;
}

// In the proportions of a run that reads a row of the vocabulary for each token. What GPUs reach one after
// the other is what they reach together.
double model::product_rate(std::string_view form, std::uint32_t threads, double seconds) const {
  const auto width =
      static_cast<std::int64_t>(tile_ids(devices_[0].is_cuda() ? device_kind::cuda : device_kind::cpu));
  const std::int64_t vocabulary = arch_.all.vocab_size, row = arch_.all.embed_dim;
  const std::uint32_t n = arch_.n_layers();
  std::vector<std::vector<product_shape>> of_block;
  std::int64_t weights = vocabulary * row;
  for (std::uint32_t i = 0; i < n; ++i) {
    of_block.push_back(products_of_block(arch_, i, this->weights().blocks[i]));
    for (const product_shape& s : of_block.back()) weights += s.inputs * s.outputs;
  }
  const product_counts counts =
      counts_of_timing(n, static_cast<std::size_t>((vocabulary + width - 1) / width),
                       flops_of_timing(static_cast<double>(weights), devices_[0]));
  std::vector<product_shape> shapes;
  for (std::size_t i = 0; i < counts.blocks; ++i) {
    const std::vector<product_shape>& some = of_block[i * n / counts.blocks];
    shapes.insert(shapes.end(), some.begin(), some.end());
  }
  shapes.insert(shapes.end(), counts.tiles, {row, std::min(width, vocabulary)});
  std::set<c10::DeviceIndex> seen;  // the CPU is one device, however often it is named
  double rate = 0;
  for (const at::Device& device : devices_)
    if (seen.insert(device.index()).second)
      rate += measure_product_rate(shapes, parse_precision(form, device).type, device, threads,
                                   seconds / static_cast<double>(devices_.size()));
  return rate;
}

}  // namespace depthlens::torch_backend
