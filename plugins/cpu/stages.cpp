// SPDX-License-Identifier: Apache-2.0
#include "stages.hpp"

#include "readout.hpp"
#include "single_thread.hpp"

#include "depthlens/backend/block_sizes.hpp"
#include "depthlens/backend/expected_rows.hpp"
#include "depthlens/backend/tensor_set.hpp"
#include "depthlens/base/error.hpp"

#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

namespace depthlens::cpu {

namespace {

constexpr std::size_t part_outputs = 512;  // so that a stage has several parts for each thread

// How many tiles of the unembedding are a stage: as many as take no more memory than a block.
std::size_t tiles_of_a_stage(std::size_t block_floats, std::size_t tile_floats, std::size_t n_tiles) {
  return std::clamp<std::size_t>(block_floats / tile_floats, 1, n_tiles);
}

// How matrices with so many inputs are held here when `weights` is asked for.
precision held_precision(precision weights, std::size_t inputs) {
  if (weights == precision::f32) return weights;
  precision held = weights;
  run_single_threaded([&] { held = matmul_shapes(weights).get(inputs, tile_width).held(); });
  return held;
}

}  // namespace

weight_needs needs_of(const dlens_weights& given, precision weights) {
  const dlens_architecture& arch = *given.architecture;
  const tensor_set tensors(given);
  const block_sizes blocks(tensors, arch);
  const std::size_t tile = tile_width * arch.d_model, n_tiles = n_chunks(arch.vocab_size, tile_width);
  const std::size_t n_groups = n_chunks(n_tiles, tiles_of_a_stage(blocks.largest, tile, n_tiles));
  // Rows are filled up to whole blocks of the packed layout.
  const std::uint64_t bytes =
      held_precision(weights, arch.d_model) == precision::bf16 ? sizeof(bf16) : sizeof(float);
  return {.held_bytes = (blocks.all + n_tiles * tile) * bytes,
          .streamed_bytes = 2 * std::max<std::uint64_t>(blocks.largest, tile) * bytes,
          .stages = arch.n_layers + static_cast<std::uint32_t>(n_groups == 1 ? 1 : 2 * n_groups)};
}

// Makes maps and norms, gives the matrices their places, and writes down what is to be loaded.
class stage_builder {
 public:
  stage_builder(weight_stages& to, const tensor_set& tensors, const dlens_architecture& arch,
                matmul_shapes& shapes)
      : to_(to), tensors_(tensors), arch_(arch), shapes_(shapes) {}

  void begin_stage() { to_.parts_.emplace_back(); }

  // Absent if the model has no tensor of that name.
  void load(norm_weights& to, const std::string& name, std::size_t n) const {
    to = {.weight = tensors_.optional_vector(name, n),
          .bias = tensors_.optional_vector(name + ".bias", n),
          .kind = arch_.norm_kind,
          .eps = static_cast<float>(arch_.norm_eps)};
    for (float& w : to.weight) w += static_cast<float>(arch_.norm_offset);
  }

  void load(linear& to, const stacked_tensors& from) { load_rows(to, from, {0, from.rows}); }

  void load(std::vector<linear>& tiles, const stacked_tensors& from) {
    tiles.resize(n_chunks(from.rows, inner_tile));
    for_chunks(from.rows, inner_tile,
               [&](row_range rows) { load_rows(tiles[rows.first / inner_tile], from, rows); });
  }

  // The given rows of each of the views.
  void load(packed_matrix& to, const std::vector<weight_view>& from, row_range rows) {
    to = packed_matrix(shapes_.get(from[0].columns, from.size() * rows.n));
    const std::size_t step = std::max(part_outputs / to.slice(), std::size_t{1}) * to.slice();
    for_chunks(to.outputs(), step, [&](row_range outputs) {
      to_.parts_.back().push_back({.to = &to, .from = from, .rows = rows, .outputs = outputs});
    });
  }

  // Room for all stages, or for two.
  void place() {
    std::vector<std::size_t> sizes;
    for (const auto& stage : to_.parts_) sizes.push_back(floats_of(stage));
    if (to_.streamed_) sizes.assign(2, *std::max_element(sizes.begin(), sizes.end()));
    for (const std::size_t n : sizes) {
      to_.rooms_.emplace_back().reserve_raw(n);
      to_.bytes_ += n * sizeof(float);
    }
    for (std::size_t s = 0; s < to_.parts_.size(); ++s) {
      float* at = to_.rooms_[to_.streamed_ ? s % 2 : s].data();
      for (weight_stages::part_of_matrix& part : to_.parts_[s]) {
        if (part.outputs.first > 0) continue;
        part.to->place(at);
        at += room_of(*part.to);
      }
    }
  }

 private:
  static std::size_t room_of(const packed_matrix& m) { return (m.floats() + 15) / 16 * 16; }  // cache lines

  static std::size_t floats_of(const std::vector<weight_stages::part_of_matrix>& stage) {
    std::size_t n = 0;
    for (const auto& part : stage)
      if (part.outputs.first == 0) n += room_of(*part.to);
    return n;
  }

  void load_rows(linear& to, const stacked_tensors& from, row_range rows) {
    std::vector<weight_view> parts;
    for (const std::string& name : from.names) parts.push_back(tensors_.matrix(name, from.rows, from.inputs));
    load(to.matrix, parts, rows);
    for (std::size_t i = 0; i < from.names.size(); ++i) {
      if (!tensors_.has(from.names[i] + ".bias")) continue;
      to.bias.resize(to.matrix.outputs());
      const std::vector<float> bias = tensors_.vector(from.names[i] + ".bias", from.rows);
      std::copy_n(bias.data() + rows.first, rows.n, to.bias.data() + i * rows.n);
    }
  }

  weight_stages& to_;
  const tensor_set& tensors_;
  const dlens_architecture& arch_;
  matmul_shapes& shapes_;
};

namespace {

// Finals and layers in one stage where all tiles are there at once; else all finals first, as targets may be
// the model's own output.
std::vector<readout_stage> make_readouts(std::size_t n_tiles, std::size_t at_once, bool again) {
  std::vector<readout_stage> out;
  const auto add = [&](readout_stage use) {
    for_chunks(n_tiles, at_once, [&](row_range tiles) {
      out.push_back({.finals = use.finals,
                     .layers = use.layers,
                     .again = use.again,
                     .first = tiles.first == 0,
                     .last = tiles.first + tiles.n == n_tiles,
                     .first_id = tiles.first * tile_width,
                     .tiles = std::vector<packed_matrix>(tiles.n)});
    });
  };
  if (at_once >= n_tiles) {
    add({});
  } else {
    add({.finals = true, .layers = false, .tiles = {}});
    add({.finals = false, .layers = true, .tiles = {}});
    if (again) add({.finals = false, .layers = true, .again = true, .tiles = {}});
  }
  return out;
}

}  // namespace

weight_stages::weight_stages(const dlens_weights& given, matmul_shapes& shapes, bool stream)
    : streamed_(stream) {
  const dlens_architecture& arch = *given.architecture;
  const std::size_t d = arch.d_model, v = arch.vocab_size;
  const tensor_set tensors(given);
  stage_builder builder(*this, tensors, arch, shapes);
  model_weights& w = weights_;
  w.embed = tensors.matrix("embed", v, d);
  w.unembed = tensors.matrix("unembed", v, d);
  if (tensors.has("position"))
    w.position = tensors.long_matrix("position", std::size_t{arch.max_positions} + arch.position_offset, d);
  w.unembed_bias = tensors.optional_vector("unembed.bias", v);
  builder.load(w.final_norm, "final_norm", d);
  if (!w.final_norm.present()) fail(status::data, "the model has no tensor final_norm");
  w.blocks.resize(arch.n_layers);
  const std::size_t n_tiles = n_chunks(v, tile_width);
  const std::size_t at_once =
      stream ? tiles_of_a_stage(block_sizes(tensors, arch).largest, tile_width * d, n_tiles) : n_tiles;
  run_single_threaded([&] {
    const bool columns_agree = shapes.get(d, targets_at_once).sums_in_one_order() &&
                               shapes.get(d, std::min(tile_width, v)).sums_in_one_order();
    w.readouts = make_readouts(n_tiles, at_once, !columns_agree);
    for (std::uint32_t layer = 0; layer < arch.n_layers; ++layer) {
      builder.begin_stage();
      load_block(w.blocks[layer], tensors, arch, layer, builder);
    }
    for (readout_stage& stage : w.readouts) {
      builder.begin_stage();
      for (std::size_t i = 0; i < stage.tiles.size(); ++i) {
        const std::size_t first = stage.first_id + i * tile_width;
        builder.load(stage.tiles[i], {w.unembed}, {first, std::min(tile_width, v - first)});
      }
    }
  });
  builder.place();
}

// The next stage comes from disk while this one is at work.
void weight_stages::expect(std::uint32_t stage) const {
  if (stage >= count()) return;
  for (const part_of_matrix& part : parts_[stage]) {
    if (part.outputs.first > 0) continue;  // of a matrix that is named already
    for (const weight_view& view : part.from) expect_rows(view, part.rows.first, part.rows.n);
  }
}

void weight_stages::load(std::uint32_t stage, std::uint32_t number, workspace& scratch) {
  if (streamed_ && number == 0) expect(stage + 1);
  const part_of_matrix& part = parts_[stage][number];
  const std::size_t inputs = part.to->inputs(), slice = part.to->slice();
  for_chunks(part.outputs.n, slice, [&](row_range some) {
    const std::size_t first = part.outputs.first + some.first;
    float* const plain = scratch.plain.reserve_raw(slice * inputs);
    float* to = plain;
    for (std::size_t at = first; at < first + some.n;) {
      const std::size_t in = at % part.rows.n, n = std::min(part.rows.n - in, first + some.n - at);
      part.from[at / part.rows.n].read_rows(part.rows.first + in, n, to);
      at += n;
      to += n * inputs;
    }
    part.to->assign_slice(first / slice, plain, scratch);
  });
}

void weight_stages::load_all(std::uint32_t threads) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> all;
  for (std::uint32_t s = 0; s < count(); ++s)
    for (std::uint32_t p = 0; p < parts(s); ++p) all.emplace_back(s, p);
  workspace_pool pool;
  const int most = oneapi::tbb::info::default_concurrency();  // for more than that oneTBB prints a warning
  oneapi::tbb::task_arena arena(std::clamp(static_cast<int>(std::min(threads, 1024u)), 1, most));
  arena.execute([&] {
    oneapi::tbb::parallel_for(std::size_t{0}, all.size(), [&](std::size_t i) {
      const workspace_pool::handle scratch(pool);
      run_single_threaded([&] { load(all[i].first, all[i].second, *scratch); });
    });
  });
}

}  // namespace depthlens::cpu
