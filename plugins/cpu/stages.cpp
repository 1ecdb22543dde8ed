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
#include <optional>
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

weight_needs needs_of(const dlens_weights& given, const owned_architecture& arch, precision weights) {
  const tensor_set tensors(given);
  const block_sizes blocks(tensors, arch);
  const std::uint64_t d = arch.all.d_model, e = arch.all.embed_dim;
  // Of layer inputs, each block has its rows of one matrix.
  const std::uint64_t inputs = arch.layer_inputs ? arch.layer_inputs->dim * d : 0;
  const std::uint64_t largest = blocks.largest + inputs, projections = e == d ? 0 : 2 * e * d;
  const std::size_t tile = tile_width * e, n_tiles = n_chunks(arch.all.vocab_size, tile_width);
  const std::size_t n_groups = n_chunks(n_tiles, tiles_of_a_stage(largest, tile, n_tiles));
  // Rows are filled up to whole blocks of the packed layout.
  const std::uint64_t bytes = held_precision(weights, d) == precision::bf16 ? sizeof(bf16) : sizeof(float);
  return {.held_bytes = (blocks.all + arch.n_layers() * inputs + projections + n_tiles * tile) * bytes,
          .streamed_bytes = (2 * std::max<std::uint64_t>(largest, tile) + projections) * bytes,
          .widest_input = std::max(blocks.widest_input, e),
          .stages = arch.n_layers() + static_cast<std::uint32_t>(n_groups == 1 ? 1 : 2 * n_groups)};
}

// Makes maps and norms, gives the matrices their places, and writes down what is to be loaded.
class stage_builder {
 public:
  stage_builder(weight_stages& to, const tensor_set& tensors, const owned_architecture& arch,
                matmul_shapes& shapes)
      : to_(to), tensors_(tensors), arch_(arch), shapes_(shapes) {}

  void begin_stage() { to_.parts_.emplace_back(); }

  // Of the model's own kind. Absent if the model has no tensor of that name.
  void load(norm_weights& to, const std::string& name, std::size_t n) const {
    load(to, name, norm_form{n, arch_.all.norm_kind, arch_.all.norm_eps, arch_.all.norm_offset});
  }
  void load(norm_weights& to, const std::string& name, const norm_form& form) const {
    to = {.weight = {},
          .bias = tensors_.optional_vector(name + ".bias", form.n),
          .kind = form.kind,
          .eps = static_cast<float>(form.eps),
          .n = form.n};
    if (form.stretches > 1) {
      load_matrix(to.weight, name, form.stretches, form.n);
    } else {
      to.weight = tensors_.optional_vector(name, form.n);
    }
    for (float& w : to.weight) w += static_cast<float>(form.offset);
  }

  void load(std::vector<float>& to, const std::string& name, std::size_t n) const {
    to = tensors_.optional_vector(name, n);
  }
  void load_matrix(std::vector<float>& to, const std::string& name, std::size_t rows,
                   std::size_t columns) const {
    to.resize(rows * columns);
    tensors_.matrix(name, rows, columns).read_rows(0, rows, to.data());
  }

  void load(linear& to, const stacked_tensors& from) {
    if (from.rows > 1 || from.names.size() > 1) return load_rows(to, from, {0, from.rows});
    load_matrix(to.single, from.names[0], 1, from.inputs);
    to.bias = tensors_.optional_vector(from.names[0] + ".bias", 1);
  }

  void load(std::vector<linear>& tiles, const stacked_tensors& from) {
    tiles.resize(n_chunks(from.rows, inner_tile));
    for_chunks(from.rows, inner_tile,
               [&](row_range rows) { load_rows(tiles[rows.first / inner_tile], from, rows); });
  }

  // The given rows of each of the views.
  void load(packed_matrix& to, const std::vector<weight_view>& from, row_range rows) {
    load(to, from, rows, to_.parts_.back());
  }

  // Room for all stages, or for two.
  void place() {
    std::vector<std::size_t> sizes;
    for (std::uint32_t stage = 0; stage < to_.count(); ++stage) {
      std::size_t n = 0;
      for_matrices(stage, [&n](packed_matrix& m) { n += room_of(m); });
      sizes.push_back(n);
    }
    if (to_.streamed_) sizes.assign(2, *std::max_element(sizes.begin(), sizes.end()));
    for (const std::size_t n : sizes) {
      to_.rooms_.emplace_back().reserve_raw(n);
      to_.bytes_ += n * sizeof(float);
    }
    for (std::uint32_t s = 0; s < to_.count(); ++s) {
      float* at = to_.rooms_[to_.streamed_ ? s % 2 : s].data();
      for_matrices(s, [&at](packed_matrix& m) {
        m.place(at);
        at += room_of(m);
      });
    }
  }

 private:
  using parts = std::vector<weight_stages::part_of_matrix>;

  static std::size_t room_of(const packed_matrix& m) { return (m.floats() + 15) / 16 * 16; }  // cache lines

  template <class Function>
  void for_matrices(std::uint32_t stage, const Function& fn) {
    const auto each = [&fn](const parts& all) {
      for (const weight_stages::part_of_matrix& part : all)
        if (part.outputs.first == 0) fn(*part.to);
    };
    each(to_.parts_[stage]);
    if (stage >= to_.experts_.size()) return;
    for (const auto& expert : to_.experts_[stage]) each(expert->parts);
  }

  void load(packed_matrix& to, const std::vector<weight_view>& from, row_range rows, parts& list,
            row_steps steps = row_steps::coarse) {
    to = packed_matrix(shapes_.get(from[0].columns, from.size() * rows.n, steps));
    const std::size_t step = std::max(part_outputs / to.slice(), std::size_t{1}) * to.slice();
    for_chunks(to.outputs(), step, [&](row_range outputs) {
      list.push_back({.to = &to, .from = from, .rows = rows, .outputs = outputs});
    });
  }

  // 7 for "block.0.expert.7.up".
  static std::optional<std::size_t> expert_of(const std::string& name) {
    static constexpr std::string_view mark = ".expert.";
    const std::size_t at = name.find(mark);
    if (at == std::string::npos) return std::nullopt;
    return std::stoul(name.substr(at + mark.size()));
  }

  // Where the parts of a tensor go: experts of streamed weights are by themselves.
  parts& list_of(std::optional<std::size_t> expert) {
    if (!to_.streamed_ || !expert) return to_.parts_.back();
    std::vector<std::unique_ptr<weight_stages::lazy_expert>>& all = to_.experts_[to_.parts_.size() - 1];
    while (all.size() <= *expert) all.push_back(std::make_unique<weight_stages::lazy_expert>());
    return all[*expert]->parts;
  }

  void load_rows(linear& to, const stacked_tensors& from, row_range rows) {
    std::vector<weight_view> views;
    for (const std::string& name : from.names) views.push_back(tensors_.matrix(name, from.rows, from.inputs));
    const std::optional<std::size_t> expert = expert_of(from.names[0]);
    load(to.matrix, views, rows, list_of(expert), expert ? row_steps::fine : row_steps::coarse);
    for (std::size_t i = 0; i < from.names.size(); ++i) {
      if (!tensors_.has(from.names[i] + ".bias")) continue;
      to.bias.resize(to.matrix.outputs());
      const std::vector<float> bias = tensors_.vector(from.names[i] + ".bias", from.rows);
      std::copy_n(bias.data() + rows.first, rows.n, to.bias.data() + i * rows.n);
    }
  }

  weight_stages& to_;
  const tensor_set& tensors_;
  const owned_architecture& arch_;
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

weight_stages::weight_stages(const dlens_weights& given, const owned_architecture& arch,
                             matmul_shapes& shapes, bool stream)
    : experts_(stream ? arch.n_layers() : 0), loadings_(stream ? arch.n_layers() : 0), streamed_(stream) {
  const std::size_t d = arch.all.d_model, e = arch.all.embed_dim, v = arch.all.vocab_size;
  const tensor_set tensors(given);
  stage_builder builder(*this, tensors, arch, shapes);
  load_fixed(tensors, arch, shapes);
  model_weights& w = weights_;
  const std::size_t n_tiles = n_chunks(v, tile_width);
  const std::size_t block = block_sizes(tensors, arch).largest;
  const std::size_t at_once = stream ? tiles_of_a_stage(block, tile_width * e, n_tiles) : n_tiles;
  run_single_threaded([&] {
    const bool columns_agree = shapes.get(e, targets_at_once).sums_in_one_order() &&
                               shapes.get(e, std::min(tile_width, v)).sums_in_one_order();
    w.readouts = make_readouts(n_tiles, at_once, !columns_agree);
    for (std::uint32_t layer = 0; layer < arch.n_layers(); ++layer) {
      builder.begin_stage();
      load_block(w.blocks[layer], tensors, arch, layer, builder);
      if (!arch.layer_inputs) continue;
      const std::size_t rows = arch.layer_inputs->dim;
      builder.load(w.layer_projections[layer],
                   {tensors.matrix("layer_projection", arch.n_layers() * rows, d)}, {layer * rows, rows});
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

// What is in memory from beginning to end: norms, embeddings as they lie in the file, projections of them.
void weight_stages::load_fixed(const tensor_set& tensors, const owned_architecture& arch,
                               matmul_shapes& shapes) {
  const std::size_t d = arch.all.d_model, e = arch.all.embed_dim, v = arch.all.vocab_size;
  const stage_builder builder(*this, tensors, arch, shapes);
  model_weights& w = weights_;
  w.embed = tensors.matrix("embed", v, e);
  w.unembed = tensors.matrix("unembed", v, e);
  const std::size_t positions = std::size_t{arch.all.max_positions} + arch.all.position_offset;
  if (tensors.has("position")) w.position = tensors.long_matrix("position", positions, d);
  w.unembed_bias = tensors.optional_vector("unembed.bias", v);
  builder.load(w.final_norm, "final_norm", d);
  if (arch.final_norm && !w.final_norm.present()) fail(status::data, "the model has no tensor final_norm");
  builder.load(w.embed_norm, "embed_norm", d);
  w.blocks.resize(arch.n_layers());
  if (arch.layer_inputs) {
    const std::size_t rows = arch.n_layers() * std::size_t{arch.layer_inputs->dim};
    w.layer_embed = tensors.matrix("layer_embed", arch.layer_inputs->vocab_size, rows);
    builder.load(w.layer_embed_norm, "layer_embed_norm", arch.layer_inputs->dim);
    w.layer_projections.resize(arch.n_layers());
  }
  if (e == d && !tensors.has("in_projection") && !tensors.has("out_projection")) return;
  run_single_threaded([&] {
    workspace scratch;
    const auto load = [&](linear& to, const std::string& name, std::size_t rows, std::size_t columns) {
      std::vector<float> values(rows * columns);
      tensors.matrix(name, rows, columns).read_rows(0, rows, values.data());
      to.matrix = packed_matrix(shapes.get(columns, rows));
      to.matrix.assign(values.data(), scratch);
      to.bias = tensors.optional_vector(name + ".bias", rows);
    };
    load(w.in_projection, "in_projection", d, e);
    load(w.out_projection, "out_projection", e, d);
  });
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
  if (streamed_ && number == 0) {
    expect(stage + 1);
    if (stage < loadings_.size()) ++loadings_[stage];
  }
  load_part(parts_[stage][number], scratch);
}

void weight_stages::need_expert(std::uint32_t layer, std::size_t number, workspace& scratch) {
  if (!streamed_) return;
  lazy_expert& expert = *experts_[layer][number];
  const std::uint64_t loading = loadings_[layer];
  if (expert.came == loading) return;
  const std::lock_guard lock(expert.loading);
  if (expert.came == loading) return;
  for (const part_of_matrix& part : expert.parts) load_part(part, scratch);
  expert.came = loading;
}

void weight_stages::load_part(const part_of_matrix& part, workspace& scratch) const {
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
