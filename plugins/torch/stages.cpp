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
  stage_builder(weight_stages& to, const tensor_set& tensors, const dlens_architecture& arch)
      : to_(to), tensors_(tensors), arch_(arch) {}

  void begin_stage() { to_.parts_.emplace_back(); }
  // What load_block fills is the copy's.
  void begin_copy(std::size_t number) { number_ = number, next_ = 0; }

  at::Tensor vector(const std::string& name, std::size_t n) const {
    const std::vector<float> values = tensors_.optional_vector(name, n);
    return values.empty() ? at::Tensor() : to_device(values, device());
  }

  // Absent if the model has no tensor of that name.
  void load(norm_weights& to, const std::string& name, std::size_t n) const {
    to = {.weight = vector(name, n),
          .bias = vector(name + ".bias", n),
          .kind = arch_.norm_kind,
          .eps = arch_.norm_eps};
    if (to.present() && arch_.norm_offset != 0) to.weight = to.weight + arch_.norm_offset;
  }

  void load(linear& to, const stacked_tensors& from) {
    std::vector<weight_view> views;
    std::vector<float> bias(from.names.size() * from.rows);
    bool biased = false;
    for (std::size_t i = 0; i < from.names.size(); ++i) {
      views.push_back(tensors_.matrix(from.names[i], from.rows, from.inputs));
      if (!tensors_.has(from.names[i] + ".bias")) continue;
      const std::vector<float> values = tensors_.vector(from.names[i] + ".bias", from.rows);
      std::copy(values.begin(), values.end(), bias.data() + i * from.rows);
      biased = true;
    }
    const at::ScalarType type = to_.copies_[number_]->weights.type;
    add(to, std::move(views), {0, from.rows}, biased ? to_device(bias, device()).to(type) : at::Tensor(),
        /*widened=*/false);
  }

  void add(linear& to, std::vector<weight_view> from, row_range rows, at::Tensor bias, bool widened) {
    std::vector<weight_stages::matrix_part>& parts = to_.parts_.back();
    if (next_ == parts.size()) parts.push_back({{}, {}, std::move(from), rows, widened});
    parts[next_].to.push_back(&to);
    parts[next_].bias.push_back(std::move(bias));
    ++next_;
  }

  at::Device device() const { return to_.copies_[number_]->device; }

 private:
  weight_stages& to_;
  const tensor_set& tensors_;
  const dlens_architecture& arch_;
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

model_weights fixed_weights(const tensor_set& tensors, const dlens_architecture& arch, at::ScalarType type,
                            stage_builder& builder) {
  const std::size_t d = arch.d_model, v = arch.vocab_size;
  model_weights w{.type = type,
                  .embed = tensors.matrix("embed", v, d),
                  .position = {},
                  .unembed = tensors.matrix("unembed", v, d),
                  .unembed_bias = builder.vector("unembed.bias", v),
                  .final_norm = {},
                  .blocks = std::vector<block_weights>(arch.n_layers),
                  .readouts = {}};
  if (tensors.has("position"))
    w.position = tensors.long_matrix("position", std::size_t{arch.max_positions} + arch.position_offset, d);
  builder.load(w.final_norm, "final_norm", d);
  if (!w.final_norm.present()) fail(status::data, "the model has no tensor final_norm");
  return w;
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

weight_stages::weight_stages(const dlens_weights& given, const std::vector<at::Device>& devices,
                             at::ScalarType type, bool stream)
    : streamed_(stream) {
  const dlens_architecture& arch = *given.architecture;
  in_room_.fill(std::numeric_limits<std::uint32_t>::max());
  const tensor_set tensors(given);
  stage_builder builder(*this, tensors, arch);
  const model_place place = place_on(devices, type);
  const std::size_t width = tile_ids(place.kind);
  const std::size_t at_once = stream ? tiles_of_a_stage(given, place) : arch.vocab_size;
  for (std::size_t i = 0; i < devices.size(); ++i) {
    copies_.emplace_back(new copy{devices[i], {.type = type}, arrivals(devices[i])});
    builder.begin_copy(i);
    model_weights& w = copies_[i]->weights;
    w = fixed_weights(tensors, arch, type, builder);
    w.readouts = make_readouts(arch.vocab_size, width, at_once);
  }
  const auto stage_of_all = [&](const auto& fill) {
    builder.begin_stage();
    for (std::size_t i = 0; i < copies_.size(); ++i) {
      builder.begin_copy(i);
      fill(copies_[i]->weights);
    }
  };
  for (std::uint32_t layer = 0; layer < arch.n_layers; ++layer)
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
  std::uint64_t all = 0, most = 0;
  for (std::uint32_t stage = 0; stage < count(); ++stage) {
    all += bytes_of(stage);
    most = std::max(most, bytes_of(stage));
  }
  return streamed_ ? 2 * most : all;
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
