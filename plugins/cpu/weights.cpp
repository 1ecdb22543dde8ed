// SPDX-License-Identifier: Apache-2.0
#include "weights.hpp"

#include "single_thread.hpp"

#include "depthlens/backend/tensor_set.hpp"
#include "depthlens/base/error.hpp"

#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string>

namespace depthlens::cpu {

namespace {

using tasks = std::vector<std::function<void(workspace&)>>;

// Queues the packing of rows of the stacked `parts`, as many of each, from `first` on.
void pack_later(tasks& queue, packed_matrix& to, const std::vector<weight_view>& parts,
                std::size_t first = 0) {
  queue.push_back([&to, parts, first](workspace& scratch) {
    float* rows = scratch.stream.reserve_raw(to.outputs() * to.inputs());
    const std::size_t n = to.outputs() / parts.size();
    float* at = rows;
    for (const weight_view& part : parts) {
      part.read_rows(first, n, at);
      at += n * part.columns;
    }
    to.assign(rows, scratch);
  });
}

// Stacked tensors, all (rows, inputs).
struct stacked {
  std::vector<std::string> names;
  std::size_t rows, inputs;
};

std::vector<weight_view> views_of(const tensor_set& tensors, const stacked& from) {
  std::vector<weight_view> out;
  for (const std::string& name : from.names) out.push_back(tensors.matrix(name, from.rows, from.inputs));
  return out;
}

// The linear map of rows first..first+n-1 of each; biases where the model has them, else zero.
linear make_linear(const tensor_set& tensors, matmul_shapes& shapes, const stacked& from, std::size_t first,
                   std::size_t n) {
  linear out{packed_matrix(shapes.get(from.inputs, from.names.size() * n)), {}};
  for (std::size_t i = 0; i < from.names.size(); ++i) {
    if (!tensors.has(from.names[i] + ".bias")) continue;
    out.bias.resize(out.matrix.outputs());
    const std::vector<float> bias = tensors.vector(from.names[i] + ".bias", from.rows);
    std::copy_n(bias.data() + first, n, out.bias.data() + i * n);
  }
  return out;
}

// Absent if the model has no tensor of that name.
norm_weights make_norm(const tensor_set& tensors, const dlens_architecture& arch, const std::string& name,
                       std::size_t n) {
  norm_weights out{tensors.optional_vector(name, n), tensors.optional_vector(name + ".bias", n),
                   arch.norm_kind, static_cast<float>(arch.norm_eps)};
  for (float& w : out.weight) w += static_cast<float>(arch.norm_offset);
  return out;
}

block_weights make_block(const tensor_set& tensors, const dlens_architecture& arch, matmul_shapes& shapes,
                         std::uint32_t layer, std::array<std::vector<weight_view>, 5>& parts) {
  const std::size_t d = arch.d_model, f = arch.d_ff, head = arch.head_dim;
  const std::size_t q = arch.n_heads * head, kv = arch.n_kv_heads * head;
  const std::string at = cat("block.", layer, ".");
  const auto norm = [&](const char* name, std::size_t n) { return make_norm(tensors, arch, at + name, n); };
  const auto head_norm = [&](const char* name, std::size_t all) {
    return norm(name, tensors.length(at + name) == all ? all : head);
  };
  const auto map = [&](std::size_t number, const stacked& from) {
    parts[number] = views_of(tensors, from);
    return make_linear(tensors, shapes, from, 0, from.rows);
  };
  block_weights out;
  out.attn_norm = norm("attn_norm", d);
  out.attn_post_norm = norm("attn_post_norm", d);
  out.q_norm = head_norm("q_norm", q);
  out.k_norm = head_norm("k_norm", kv);
  out.ffn_norm = norm("ffn_norm", d);
  out.ffn_post_norm = norm("ffn_post_norm", d);
  out.gated = tensors.has(at + "gate");
  out.q = map(0, {{at + "q"}, q, d});
  out.kv = map(1, {{at + "k", at + "v"}, kv, d});
  out.o = map(2, {{at + "o"}, d, q});
  out.down = map(3, {{at + "down"}, d, f});
  stacked inner{{at + "up"}, f, d};
  if (out.gated) inner.names.insert(inner.names.begin(), at + "gate");
  parts[4] = views_of(tensors, inner);
  for (std::size_t first = 0; first < f; first += inner_tile)
    out.inner.push_back(make_linear(tensors, shapes, inner, first, std::min(inner_tile, f - first)));
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

void norm_weights::apply(const kernel_table& kernels, const float* x, std::size_t rows, float* out) const {
  const auto kernel = kind == DLENS_NORM_LAYER ? kernels.layer_norm : kernels.rms_norm;
  const std::size_t n = width();
  for (std::size_t i = 0; i < rows; ++i) {
    kernel(x + i * n, weight.data(), eps, n, out + i * n);
    if (!bias.empty()) kernels.add(out + i * n, bias.data(), n);
  }
}

std::size_t model_weights::bytes() const {
  std::size_t out = (final_norm.weight.size() + final_norm.bias.size() + unembed_bias.size()) * sizeof(float);
  const auto add = [&out](const linear& l) { out += l.matrix.bytes() + l.bias.size() * sizeof(float); };
  for (const block_weights& b : blocks) {
    for (const linear* l : {&b.q, &b.kv, &b.o, &b.down}) add(*l);
    for (const linear& l : b.inner) add(l);
    for (const norm_weights* n :
         {&b.attn_norm, &b.attn_post_norm, &b.q_norm, &b.k_norm, &b.ffn_norm, &b.ffn_post_norm}) {
      out += (n->weight.size() + n->bias.size()) * sizeof(float);
    }
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
  if (tensors.has("position")) {
    out.position = tensors.long_matrix("position", std::size_t{arch.max_positions} + arch.position_offset, d);
  }
  out.unembed_bias = tensors.optional_vector("unembed.bias", v);
  out.final_norm = make_norm(tensors, arch, "final_norm", d);
  if (!out.final_norm.present()) fail(status::data, "the model has no tensor final_norm");
  out.blocks.reserve(arch.n_layers);  // the queued tasks point into it
  out.unembed_tiles.reserve((v + tile_width - 1) / tile_width);
  tasks queue;
  run_single_threaded([&] {
    std::array<std::vector<weight_view>, 5> parts;  // of q, kv, o, down and the inner tiles
    for (std::uint32_t layer = 0; layer < arch.n_layers; ++layer) {
      block_weights& block = out.blocks.emplace_back(make_block(tensors, arch, shapes, layer, parts));
      linear* const maps[] = {&block.q, &block.kv, &block.o, &block.down};
      for (std::size_t i = 0; i < std::size(maps); ++i) pack_later(queue, maps[i]->matrix, parts[i]);
      for (std::size_t t = 0; t < block.inner.size(); ++t)
        pack_later(queue, block.inner[t].matrix, parts[4], t * inner_tile);
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
