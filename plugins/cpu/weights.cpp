// SPDX-License-Identifier: Apache-2.0
#include "weights.hpp"

#include "single_thread.hpp"

#include "depthlens/backend/tensor_set.hpp"
#include "depthlens/base/error.hpp"

#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

namespace depthlens::cpu {

namespace {

// Makes the maps and norms of a model. Matrices get their values when `run` is called; until then they stay
// where they are.
class weight_loader {
 public:
  // All of them outlive the loader.
  weight_loader(const tensor_set& tensors, const dlens_architecture& arch, matmul_shapes& shapes)
      : tensors_(tensors), arch_(arch), shapes_(shapes) {}

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
    tiles.resize((from.rows + inner_tile - 1) / inner_tile);
    for_chunks(from.rows, inner_tile,
               [&](row_range rows) { load_rows(tiles[rows.first / inner_tile], from, rows); });
  }

  // The given rows of each of the views, (rows, inputs) all.
  void pack_later(packed_matrix& to, std::vector<weight_view> parts, row_range rows) {
    to = packed_matrix(shapes_.get(parts[0].columns, parts.size() * rows.n));
    tasks_.push_back([&to, parts = std::move(parts), rows](workspace& scratch) {
      float* const plain = scratch.stream.reserve_raw(to.outputs() * to.inputs());
      float* at = plain;
      for (const weight_view& part : parts) {
        part.read_rows(rows.first, rows.n, at);
        at += rows.n * part.columns;
      }
      to.assign(plain, scratch);
    });
  }

  void run(std::uint32_t threads) const {
    workspace_pool pool;
    const int most = oneapi::tbb::info::default_concurrency();  // for more than that oneTBB prints a warning
    oneapi::tbb::task_arena arena(std::clamp(static_cast<int>(std::min(threads, 1024u)), 1, most));
    arena.execute([&] {
      oneapi::tbb::parallel_for(std::size_t{0}, tasks_.size(), [&](std::size_t i) {
        const workspace_pool::handle scratch(pool);
        run_single_threaded([&] { tasks_[i](*scratch); });
      });
    });
  }

 private:
  void load_rows(linear& to, const stacked_tensors& from, row_range rows) {
    std::vector<weight_view> parts;
    for (const std::string& name : from.names) parts.push_back(tensors_.matrix(name, from.rows, from.inputs));
    pack_later(to.matrix, std::move(parts), rows);
    for (std::size_t i = 0; i < from.names.size(); ++i) {
      if (!tensors_.has(from.names[i] + ".bias")) continue;
      to.bias.resize(to.matrix.outputs());
      const std::vector<float> bias = tensors_.vector(from.names[i] + ".bias", from.rows);
      std::copy_n(bias.data() + rows.first, rows.n, to.bias.data() + i * rows.n);
    }
  }

  const tensor_set& tensors_;
  const dlens_architecture& arch_;
  matmul_shapes& shapes_;
  std::vector<std::function<void(workspace&)>> tasks_;
};

}  // namespace

void norm_weights::apply(const kernel_table& kernels, const float* x, std::size_t rows, float* out) const {
  const auto kernel = kind == DLENS_NORM_LAYER ? kernels.layer_norm : kernels.rms_norm;
  const std::size_t n = width();
  for (std::size_t i = 0; i < rows; ++i) {
    kernel(x + i * n, weight.data(), eps, n, out + i * n);
    if (!bias.empty()) kernels.add(out + i * n, bias.data(), n);
  }
}

void norm_weights::apply_rounded(const kernel_table& kernels, const input_rows& x, float* row,
                                 bf16* out) const {
  for (std::size_t i = 0; i < x.n; ++i) {
    const float* from = x.floats + i * x.width;
    if (present()) apply(kernels, from, 1, row);
    kernels.to_bf16(present() ? row : from, x.width, out + i * x.width);
  }
}

void linear::apply(const kernel_table& kernels, const input_rows& in, const float_rows& out,
                   workspace& scratch) const {
  matrix.multiply(in, out, scratch);
  for (std::size_t i = 0; i < out.n && !bias.empty(); ++i) kernels.add(out.row(i), bias.data(), bias.size());
}

std::size_t model_weights::bytes() const {
  std::size_t out = (final_norm.weight.size() + final_norm.bias.size() + unembed_bias.size()) * sizeof(float);
  const auto add = [&out](const linear& l) { out += l.matrix.bytes() + l.bias.size() * sizeof(float); };
  for (const block_weights& b : blocks) {
    for (const linear* l : {&b.q, &b.kv, &b.o, &b.down}) add(*l);
    for (const linear& l : b.inner) add(l);
    visit_norms(b, [&](const norm_weights& n) { out += (n.weight.size() + n.bias.size()) * sizeof(float); });
  }
  for (const packed_matrix& tile : unembed_tiles) out += tile.bytes();
  return out;
}

model_weights load_weights(const dlens_weights& given, matmul_shapes& shapes, std::uint32_t threads) {
  const dlens_architecture& arch = *given.architecture;
  const std::size_t d = arch.d_model, v = arch.vocab_size;
  const tensor_set tensors(given);
  weight_loader loader(tensors, arch, shapes);
  model_weights out;
  out.embed = tensors.matrix("embed", v, d);
  out.unembed = tensors.matrix("unembed", v, d);
  if (tensors.has("position")) {
    out.position = tensors.long_matrix("position", std::size_t{arch.max_positions} + arch.position_offset, d);
  }
  out.unembed_bias = tensors.optional_vector("unembed.bias", v);
  loader.load(out.final_norm, "final_norm", d);
  if (!out.final_norm.present()) fail(status::data, "the model has no tensor final_norm");
  out.blocks.resize(arch.n_layers);
  out.unembed_tiles.resize((v + tile_width - 1) / tile_width);
  run_single_threaded([&] {
    for (std::uint32_t layer = 0; layer < arch.n_layers; ++layer)
      load_block(out.blocks[layer], tensors, arch, layer, loader);
    for_chunks(v, tile_width, [&](row_range ids) {
      loader.pack_later(out.unembed_tiles[ids.first / tile_width], {out.unembed}, ids);
    });
  });
  loader.run(threads);
  return out;
}

}  // namespace depthlens::cpu
