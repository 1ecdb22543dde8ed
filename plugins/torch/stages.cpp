// SPDX-License-Identifier: Apache-2.0
#include "stages.hpp"

#include "device.hpp"
#include "parallel.hpp"

#include "depthlens/backend/expected_rows.hpp"
#include "depthlens/backend/tensor_set.hpp"
#include "depthlens/base/error.hpp"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

namespace depthlens::torch_backend {

namespace {

// Packs matrices for products with about so many rows.
constexpr std::int64_t packed_rows = 1024;

constexpr std::uint64_t unknown_room = std::uint64_t{1} << 50;  // of a device that does not say what is free

}  // namespace

model_place place_on(const std::vector<at::Device>& devices, at::ScalarType type) {
  model_place out{.kind = devices[0].is_cuda() ? device_kind::cuda : device_kind::cpu,
                  .devices = static_cast<std::uint32_t>(devices.size()),
                  .element_bytes = c10::elementSize(type),
                  .device_bytes = 0};
  if (out.kind == device_kind::cpu) return out;
  out.device_bytes = unknown_room;
  for (const at::Device& device : devices)
    if (const std::uint64_t free = free_device_memory(device); free > 0)
      out.device_bytes = std::min(out.device_bytes, free);
  return out;
}

// Makes maps and norms on every device, and writes down which matrices are to be loaded.
class stage_builder {
 public:
  stage_builder(weight_stages& to, const tensor_set& tensors) : to_(to), tensors_(tensors) {}

  void begin_stage() { to_.parts_.emplace_back(); }
  // What load_block fills is the copy's.
  void begin_copy(std::size_t number) { number_ = number, next_ = 0; }

  at::Tensor vector(const std::string& name, std::size_t n) const {
    const std::vector<float> values = tensors_.optional_vector(name, n);
    return values.empty() ? at::Tensor() : to_device(values, device());
  }

  // What these load is absent if the model has no tensor of that name.
  void load(norm_weights& to, const std::string& name, const norm_form& form) const {
    to = {.weight = stretches(name, form),
          .bias = stretches(name + ".bias", form),
          .kind = form.kind,
          .eps = form.eps};
    if (to.present() && form.offset != 0) to.weight = to.weight + form.offset;
  }
  void load(at::Tensor& to, const std::string& name, std::size_t n) const { to = vector(name, n); }
  void load_matrix(at::Tensor& to, const std::string& name, std::size_t rows, std::size_t columns) const {
    to = matrix(name, rows, columns);
  }

  // A router chooses by logits that are not rounded.
  void load(linear& to, const stacked_tensors& from) {
    const bool widened = from.names.front().ends_with(".router");
    add(to, views_of(from), {0, from.rows}, bias_of(from, widened ? at::kFloat : type()), widened);
  }

  // Now, for as long as the model is there.
  linear load_now(const stacked_tensors& from) const {
    const at::Tensor weight = upload(views_of(from), {0, from.rows}, type(), device(), 1);
    return linear(weight, bias_of(from, type()));
  }

  void add(linear& to, std::vector<weight_view> from, row_range rows, at::Tensor bias, bool widened) {
    std::vector<weight_stages::matrix_part>& parts = to_.parts_.back();
    if (next_ == parts.size()) parts.push_back({{}, {}, std::move(from), rows, widened});
    parts[next_].to.push_back(&to);
    parts[next_].bias.push_back(std::move(bias));
    ++next_;
  }

  at::Device device() const { return to_.copies_[number_]->device; }
  at::ScalarType type() const { return to_.copies_[number_]->weights.type; }

 private:
  at::Tensor matrix(const std::string& name, std::size_t rows, std::size_t columns) const {
    std::vector<float> values(rows * columns);
    tensors_.matrix(name, rows, columns).read_rows(0, rows, values.data());
    return to_device(values, device())
        .view({static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)});
  }

  at::Tensor stretches(const std::string& name, const norm_form& form) const {
    if (form.stretches == 1 || !tensors_.has(name)) return vector(name, form.n);
    return matrix(name, form.stretches, form.n);
  }

  std::vector<weight_view> views_of(const stacked_tensors& from) const {
    std::vector<weight_view> out;
    for (const std::string& name : from.names) out.push_back(tensors_.matrix(name, from.rows, from.inputs));
    return out;
  }

  // Undefined if none of them has one.
  at::Tensor bias_of(const stacked_tensors& from, at::ScalarType of_type) const {
    std::vector<float> bias(from.names.size() * from.rows);
    bool biased = false;
    for (std::size_t i = 0; i < from.names.size(); ++i) {
      const std::vector<float> values = tensors_.optional_vector(from.names[i] + ".bias", from.rows);
      std::copy(values.begin(), values.end(), bias.data() + i * from.rows);
      biased |= !values.empty();
    }
    return biased ? to_device(bias, device()).to(of_type) : at::Tensor();
  }

  weight_stages& to_;
  const tensor_set& tensors_;
  std::size_t number_ = 0, next_ = 0;  // of the copy; of the matrix in the stage
};

namespace {

// Finals and layers in one stage where all tiles are there at once; else all finals first, as targets may be
// the model's own output, and the layers a second time for stacks whose targets' values were others.
std::vector<readout_stage> make_readouts(std::size_t vocabulary, std::size_t width, std::size_t at_once) {
  const std::size_t n_tiles = (vocabulary + width - 1) / width;
  std::vector<readout_stage> out;
  const auto add = [&](bool finals, bool layers, bool again) {
    for (std::size_t tile = 0; tile < n_tiles; tile += at_once) {
      const std::size_t n = std::min(at_once, n_tiles - tile);
      out.push_back({.finals = finals,
                     .layers = layers,
                     .again = again,
                     .first = tile == 0,
                     .last = tile + n == n_tiles,
                     .first_id = tile * width,
                     .tiles = std::vector<linear>(n)});
    }
  };
  if (at_once >= n_tiles) {
    add(true, true, false);
  } else {
    add(true, false, false);
    add(false, true, false);
    add(false, true, true);
  }
  return out;
}

bool asks_for(const dlens_architecture& arch, std::string_view op) {
  return std::any_of(arch.ops, arch.ops + arch.n_ops, [&](const char* asked) { return asked == op; });
}

// What is there before a stage is loaded.
void load_fixed(model_weights& w, const tensor_set& tensors, const owned_architecture& arch,
                bool may_lack_final_norm, stage_builder& builder) {
  const std::size_t d = arch.all.d_model, v = arch.all.vocab_size, e = arch.all.embed_dim;
  const auto norm = [&](norm_weights& to, const char* name, std::size_t n) {
    builder.load(to, name, norm_form{n, arch.all.norm_kind, arch.all.norm_eps, arch.all.norm_offset});
  };
  w.embed = tensors.matrix("embed", v, e);
  w.unembed = tensors.matrix("unembed", v, e);
  w.unembed_bias = builder.vector("unembed.bias", v);
  if (tensors.has("position"))
    w.position =
        tensors.long_matrix("position", std::size_t{arch.all.max_positions} + arch.all.position_offset, d);
  norm(w.embed_norm, "embed_norm", d);
  norm(w.final_norm, "final_norm", d);
  if (!w.final_norm.present() && !may_lack_final_norm)
    fail(status::data, "the model has no tensor final_norm");
  if (e != d || tensors.has("in_projection")) w.in_projection = builder.load_now({{"in_projection"}, d, e});
  if (e != d || tensors.has("out_projection"))
    w.out_projection = builder.load_now({{"out_projection"}, e, d});
  w.blocks.resize(arch.n_layers());
  if (!arch.layer_inputs) return;
  const std::size_t p = arch.layer_inputs->dim, all = p * arch.n_layers();
  w.layer_embed = tensors.matrix("layer_embed", arch.layer_inputs->vocab_size, all);
  w.layer_projection = builder.load_now({{"layer_projection"}, all, d});
  norm(w.layer_embed_norm, "layer_embed_norm", p);
}

void load_tiles(readout_stage& stage, const model_weights& w, std::size_t width, stage_builder& builder) {
  const bool cpu = !builder.device().is_cuda();
  for (std::size_t i = 0; i < stage.tiles.size(); ++i) {
    const std::size_t first = stage.first_id + i * width, n = std::min(width, w.unembed.rows - first);
    const at::Tensor bias =
        w.unembed_bias.defined()
            ? w.unembed_bias.narrow(0, static_cast<std::int64_t>(first), static_cast<std::int64_t>(n))
            : at::Tensor();
    builder.add(stage.tiles[i], {w.unembed}, {first, n}, bias, cpu);
  }
}

}  // namespace

weight_stages::weight_stages(const dlens_weights& given, const owned_architecture& arch,
                             const std::vector<at::Device>& devices, at::ScalarType type, bool stream)
    : streamed_(stream) {
  in_room_.fill(std::numeric_limits<std::uint32_t>::max());
  const tensor_set tensors(given);
  stage_builder builder(*this, tensors);
  const model_place place = place_on(devices, type);
  const std::size_t width = tile_ids(place.kind);
  const std::size_t at_once = stream ? tiles_of_a_stage(given, arch, place) : arch.all.vocab_size;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    copies_.emplace_back(new copy{devices[i], {}, arrivals(devices[i])});
    builder.begin_copy(i);
    model_weights& w = copies_[i]->weights;
    w.type = type;
    load_fixed(w, tensors, arch, asks_for(*given.architecture, DLENS_OP_NO_FINAL_NORM), builder);
    w.readouts = make_readouts(arch.all.vocab_size, width, at_once);
  }
  const auto stage_of_all = [&](const auto& fill) {
    builder.begin_stage();
    for (std::size_t i = 0; i < copies_.size(); ++i) {
      builder.begin_copy(i);
      fill(copies_[i]->weights);
    }
  };
  for (std::uint32_t layer = 0; layer < arch.n_layers(); ++layer)
    stage_of_all([&](model_weights& w) { load_block(w.blocks[layer], tensors, arch, layer, builder); });
  for (std::size_t r = 0; r < copies_[0]->weights.readouts.size(); ++r)
    stage_of_all([&](model_weights& w) { load_tiles(w.readouts[r], w, width, builder); });
  for (const at::Device& device : devices) finish_stream(device);  // calls come on streams of their own
}

std::uint64_t weight_stages::matrix_part::bytes(at::ScalarType type) const {
  return to.size() * from.size() * rows.n * from[0].columns *
         (widened ? sizeof(float) : c10::elementSize(type));
}

std::uint64_t weight_stages::bytes_of(std::uint32_t stage) const {
  std::uint64_t n = 0;
  for (const matrix_part& part : parts_[stage]) n += part.bytes(copies_[0]->weights.type);
  return n;
}

std::uint64_t weight_stages::bytes() const {
  std::uint64_t all = 0, most = 0, fixed = 0;
  for (std::uint32_t stage = 0; stage < count(); ++stage) {
    all += bytes_of(stage);
    most = std::max(most, bytes_of(stage));
  }
  for (const auto& on : copies_) {
    const model_weights& w = on->weights;
    for (const linear* map : {&w.in_projection, &w.out_projection, &w.layer_projection})
      if (map->present())
        fixed += static_cast<std::uint64_t>(map->weight().numel()) * c10::elementSize(w.type);
  }
  return (streamed_ ? 2 * most : all) + fixed;
}

std::uint32_t weight_stages::parts(std::uint32_t stage) const {
  return static_cast<std::uint32_t>(parts_[stage].size() * copies_.size());
}

// The stage that is there is used no more; the first part of the new one to come takes its place.
void weight_stages::make_room(std::uint32_t stage) {
  const std::lock_guard lock(room_guard_);
  std::uint32_t& there = in_room_[stage % 2];
  if (there == stage) return;
  if (there < count())
    for (const matrix_part& part : parts_[there])
      for (linear* const map : part.to) *map = linear();
  there = stage;
  // The next one comes from disk while this one is at work.
  if (stage + 1 < count())
    for (const matrix_part& part : parts_[stage + 1])
      for (const weight_view& view : part.from) expect_rows(view, part.rows.first, part.rows.n);
}

void weight_stages::load(std::uint32_t stage, std::uint32_t number) {
  if (streamed_) make_room(stage);
  const matrix_part& part = parts_[stage][number / copies_.size()];
  const std::size_t i = number % copies_.size();
  const copy& on = *copies_[i];
  const c10::InferenceMode guard;
  at::set_num_threads(1);  // who calls has threads of its own
  const arrivals::turn turn(on.coming);
  const at::Tensor plain = upload(part.from, part.rows, on.weights.type, on.device, 1);
  *part.to[i] = linear(part.widened ? plain.to(at::kFloat) : plain, part.bias[i]).packed(packed_rows);
  on.coming.note(stage);
}

void weight_stages::load_all(std::uint32_t threads) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> all;
  for (std::uint32_t stage = 0; stage < count(); ++stage)
    for (std::uint32_t part = 0; part < parts(stage); ++part) all.emplace_back(stage, part);
  for_each_index(all.size(), threads, [&](std::size_t i) { load(all[i].first, all[i].second); });
  for (const auto& on : copies_) on->coming.finish();
}

}  // namespace depthlens::torch_backend
