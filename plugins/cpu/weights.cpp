// SPDX-License-Identifier: Apache-2.0
#include "weights.hpp"

#include "single_thread.hpp"

#include "depthlens/abi_error.hpp"
#include "depthlens/error.hpp"
#include "depthlens/model/blocks.hpp"

#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace depthlens::cpu {

namespace {

// The model's tensors by name, each checked against the shape that the architecture asks for.
class tensor_set {
 public:
  explicit tensor_set(const dlens_weights& given) {
    for (std::uint64_t i = 0; i < given.n_tensors; ++i) {
      const dlens_tensor* tensor = given.tensors ? given.tensors[i] : nullptr;
      if (!tensor || tensor->size < sizeof(dlens_tensor))
        fail(status::internal, "tensor ", i, " is not described");
      tensors_.emplace(to_view(tensor->name), tensor);
    }
  }

  bool has(const std::string& name) const { return tensors_.contains(name); }

  weight_view matrix(const std::string& name, std::size_t rows, std::size_t columns) const {
    return find(name, 2, rows, columns);
  }

  std::vector<float> vector(const std::string& name, std::size_t n) const {
    std::vector<float> out(n);
    find(name, 1, 1, n).read_row(0, out.data());
    return out;
  }

 private:
  weight_view find(const std::string& name, std::uint64_t n_dims, std::size_t rows,
                   std::size_t columns) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) fail(status::data, "the model has no tensor ", name);
    const dlens_tensor& t = *found->second;
    const bool fits =
        t.n_dims == n_dims && t.shape[n_dims - 1] == columns && (n_dims == 1 || t.shape[0] == rows);
    if (!fits) {
      fail(status::data, "tensor ", name, " is not of the shape (", rows, ", ", columns,
           ") of the architecture");
    }
    const auto type = static_cast<dtype>(t.dtype);
    const block_layout block = block_size(type);
    if (block.values == 0)
      fail(status::data, "tensor ", name, " is of element type ", t.dtype, ", which is unknown");
    if (columns % block.values != 0 || !t.data || t.bytes / block.bytes != rows * (columns / block.values)) {
      fail(status::data, "tensor ", name, " has ", t.bytes, " bytes, which do not hold ", rows, " x ",
           columns, " ", dtype_name(type), " values");
    }
    return {type, static_cast<const std::byte*>(t.data), rows, columns};
  }

  std::unordered_map<std::string_view, const dlens_tensor*> tensors_;
};

using tasks = std::vector<std::function<void(workspace&)>>;

// Queues the packing of rows first..first+outputs of the stacked `parts`.
void pack_later(tasks& queue, packed_matrix& to, std::vector<weight_view> parts, std::size_t first = 0) {
  queue.push_back([&to, parts = std::move(parts), first](workspace& scratch) {
    float* rows = scratch.stream.reserve_raw(to.outputs() * to.inputs());
    float* at = rows;
    for (const weight_view& part : parts) {
      const std::size_t n = std::min(part.rows - first, to.outputs());
      const block_layout block = block_size(part.type);
      const std::size_t row_bytes = part.columns / block.values * block.bytes;
      dequantize(part.type, part.data + first * row_bytes, n * part.columns, at);
      at += n * part.columns;
    }
    to.assign(rows, scratch);
  });
}

// A linear map of the stacked tensors `names`, all (rows, inputs); biases where the model has them, else
// zero.
linear make_linear(const tensor_set& tensors, matmul_shapes& shapes, std::vector<weight_view>& parts,
                   const std::vector<std::string>& names, std::size_t rows, std::size_t inputs) {
  const std::size_t outputs = names.size() * rows;
  linear out{packed_matrix(shapes.get(inputs, outputs)), {}};
  for (std::size_t i = 0; i < names.size(); ++i) {
    parts.push_back(tensors.matrix(names[i], rows, inputs));
    if (!tensors.has(names[i] + ".bias")) continue;
    out.bias.resize(outputs);
    const std::vector<float> bias = tensors.vector(names[i] + ".bias", rows);
    std::copy(bias.begin(), bias.end(), out.bias.begin() + static_cast<std::ptrdiff_t>(i * rows));
  }
  return out;
}

block_weights make_block(const tensor_set& tensors, const dlens_architecture& arch, matmul_shapes& shapes,
                         std::uint32_t layer, std::vector<std::vector<weight_view>>& parts) {
  const std::size_t d = arch.d_model, f = arch.d_ff;
  const std::size_t q = std::size_t{arch.n_heads} * arch.head_dim,
                    kv = std::size_t{arch.n_kv_heads} * arch.head_dim;
  const std::string at = cat("block.", layer, ".");
  parts.assign(5, {});
  block_weights out;
  out.attn_norm = tensors.vector(at + "attn_norm", d);
  out.ffn_norm = tensors.vector(at + "ffn_norm", d);
  out.q = make_linear(tensors, shapes, parts[0], {at + "q"}, q, d);
  out.kv = make_linear(tensors, shapes, parts[1], {at + "k", at + "v"}, kv, d);
  out.o = make_linear(tensors, shapes, parts[2], {at + "o"}, d, q);
  out.gate_up = make_linear(tensors, shapes, parts[3], {at + "gate", at + "up"}, f, d);
  out.down = make_linear(tensors, shapes, parts[4], {at + "down"}, d, f);
  return out;
}

void run_tasks(const tasks& queue, std::uint32_t threads) {
  workspace_pool pool;
  const int most = oneapi::tbb::info::default_concurrency();  // asking for more makes oneTBB print a warning
  oneapi::tbb::task_arena arena(std::clamp(static_cast<int>(std::min(threads, 1024u)), 1, most));
  arena.execute([&] {
    oneapi::tbb::parallel_for(std::size_t{0}, queue.size(), [&](std::size_t i) {
      const workspace_pool::handle scratch(pool);
      run_single_threaded([&] { queue[i](*scratch); });
    });
  });
}

}  // namespace

void weight_view::read_row(std::size_t row, float* out) const {
  const block_layout block = block_size(type);
  dequantize(type, data + row * (columns / block.values * block.bytes), columns, out);
}

std::size_t model_weights::bytes() const {
  std::size_t out = final_norm.size() * sizeof(float);
  const auto add = [&out](const linear& l) { out += l.matrix.bytes() + l.bias.size() * sizeof(float); };
  for (const block_weights& b : blocks) {
    for (const linear* l : {&b.q, &b.kv, &b.o, &b.gate_up, &b.down}) add(*l);
    out += (b.attn_norm.size() + b.ffn_norm.size()) * sizeof(float);
  }
  for (const packed_matrix& tile : unembed_tiles) out += tile.bytes();
  return out;
}

model_weights load_weights(const dlens_weights& given, matmul_shapes& shapes, std::uint32_t threads) {
  const dlens_architecture& arch = *given.architecture;
  const std::size_t d = arch.d_model, v = arch.vocab_size;
  const tensor_set tensors(given);
  model_weights out;
  out.embed = tensors.matrix("embed", v, d);
  out.unembed = tensors.matrix("unembed", v, d);
  out.final_norm = tensors.vector("final_norm", d);
  out.blocks.reserve(arch.n_layers);  // the queued tasks point into it
  out.unembed_tiles.reserve((v + tile_width - 1) / tile_width);
  tasks queue;
  run_single_threaded([&] {
    std::vector<std::vector<weight_view>> parts;
    for (std::uint32_t layer = 0; layer < arch.n_layers; ++layer) {
      block_weights& block = out.blocks.emplace_back(make_block(tensors, arch, shapes, layer, parts));
      linear* const maps[] = {&block.q, &block.kv, &block.o, &block.gate_up, &block.down};
      for (std::size_t i = 0; i < std::size(maps); ++i)
        pack_later(queue, maps[i]->matrix, std::move(parts[i]));
    }
    for (std::size_t first = 0; first < v; first += tile_width) {
      const std::size_t n = std::min(tile_width, v - first);
      packed_matrix& tile = out.unembed_tiles.emplace_back(shapes.get(d, n));
      pack_later(queue, tile, {out.unembed}, first);
    }
  });
  run_tasks(queue, threads);
  return out;
}

}  // namespace depthlens::cpu
