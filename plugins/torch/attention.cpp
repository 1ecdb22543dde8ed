// SPDX-License-Identifier: Apache-2.0
#include "attention.hpp"

#include "device.hpp"

#include <algorithm>
#include <limits>

namespace depthlens::torch_backend {

namespace {

// Few enough that little is computed in vain on the CPU, many enough to fill a GPU.
std::int64_t chunk_tokens(at::Device device) { return device.type() == at::kCUDA ? 512 : 128; }

// Indices of the ancestors of token t and itself, root first.
std::vector<std::int64_t> path_to(const std::vector<std::int64_t>& parent, std::int64_t t) {
  std::vector<std::int64_t> path;
  for (; t >= 0; t = parent[static_cast<std::size_t>(t)]) path.push_back(t);
  std::reverse(path.begin(), path.end());
  return path;
}

std::vector<std::int64_t> parents_of(const token_tree& tree) {
  std::vector<std::int64_t> parent(tree.position.size()), path;
  for (std::size_t t = 0; t < parent.size(); ++t) {
    const auto depth = static_cast<std::size_t>(tree.position[t]);
    parent[t] = depth == 0 ? -1 : path[depth - 1];
    path.resize(depth);
    path.push_back(static_cast<std::int64_t>(t));
  }
  return parent;
}

// q (..., queries, head_dim), k, v (..., keys, head_dim), mask (queries, keys).
at::Tensor capped_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const at::Tensor& mask, const attention_shape& shape) {
  at::Tensor s = at::matmul(q, k.transpose(-2, -1)).to(at::kFloat).mul_(shape.scale);
  s = s.div_(shape.softcap).tanh_().mul_(shape.softcap).add_(mask);
  return at::matmul(at::softmax(s, -1).to(v.scalar_type()), v);
}

// What query t of a chunk sees: keys are `n_path` tokens of the path above token `first`, then first...
struct sight {
  const token_tree& tree;
  const std::vector<std::int64_t>& parent;
  std::int64_t first, n_path;
  std::uint32_t window;

  void mark(std::int64_t t, float* row) const {
    for (std::uint32_t seen = 0; t >= 0 && (window == 0 || seen < window); ++seen) {
      row[t >= first ? n_path + (t - first) : tree.position[static_cast<std::size_t>(t)]] = 0;
      t = parent[static_cast<std::size_t>(t)];
    }
  }
};

}  // namespace

tree_attention::tree_attention(const token_tree& tree, const std::vector<std::int64_t>& queries,
                               const attention_shape& shape, at::Device device)
    : shape_(shape) {
  const std::vector<std::int64_t> parent = parents_of(tree);
  for (std::size_t begin = 0; begin < queries.size(); begin = static_cast<std::size_t>(chunks_.back().end))
    chunks_.push_back(make_chunk(tree, parent, queries, begin, device));
}

// The queries from `begin` on whose tokens lie near each other.
tree_attention::chunk tree_attention::make_chunk(const token_tree& tree,
                                                 const std::vector<std::int64_t>& parent,
                                                 const std::vector<std::int64_t>& queries, std::size_t begin,
                                                 at::Device device) const {
  const std::int64_t first = queries[begin];
  std::size_t end = begin;
  while (end < queries.size() && queries[end] < first + chunk_tokens(device)) ++end;
  const std::int64_t stop = queries[end - 1] + 1;
  std::vector<std::int64_t> keys = path_to(parent, parent[static_cast<std::size_t>(first)]);
  const auto n_path = static_cast<std::int64_t>(keys.size()), n = static_cast<std::int64_t>(end - begin);
  for (std::int64_t t = first; t < stop; ++t) keys.push_back(t);
  const auto n_keys = static_cast<std::int64_t>(keys.size());
  chunk c{.begin = static_cast<std::int64_t>(begin),
          .end = static_cast<std::int64_t>(end),
          .first = keys.front(),
          .stop = stop,
          .keys = {},
          .masks = {}};
  if (stop - keys.front() != n_keys) c.keys = to_device(keys, device);
  for (const std::uint32_t window : shape_.windows) {
    const at::Tensor mask = at::full({n, n_keys}, -std::numeric_limits<float>::infinity(), at::kFloat);
    const sight sees{.tree = tree, .parent = parent, .first = first, .n_path = n_path, .window = window};
    for (std::int64_t i = 0; i < n; ++i)
      sees.mark(queries[begin + static_cast<std::size_t>(i)], mask.data_ptr<float>() + i * n_keys);
    c.masks.emplace(window, to_device(mask, device).to(shape_.type).repeat({shape_.groups(), 1}));
  }
  return c;
}

// (KV heads, keys, head_dim)
at::Tensor tree_attention::chunk::keys_of(const at::Tensor& all) const {
  return (keys.defined() ? all.index_select(0, keys) : all.narrow(0, first, stop - first)).transpose(0, 1);
}

at::Tensor tree_attention::apply(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                 std::uint32_t window) const {
  const std::int64_t groups = shape_.groups(), n_kv = shape_.n_kv_heads, head = shape_.head_dim;
  std::vector<at::Tensor> out;
  for (const chunk& c : chunks_) {
    const std::int64_t n = c.end - c.begin;
    // Heads that share keys are rows of one product: (KV heads, groups * n, head_dim).
    const at::Tensor rows = q.narrow(0, c.begin, n)
                                .view({n, n_kv, groups, head})
                                .permute({1, 2, 0, 3})
                                .reshape({n_kv, groups * n, head});
    const at::Tensor keys = c.keys_of(k), values = c.keys_of(v), &mask = c.masks.at(window);
    const at::Tensor mixed =
        shape_.softcap != 0
            ? capped_attention(rows, keys, values, mask, shape_)
            : at::scaled_dot_product_attention(rows.unsqueeze(0), keys.unsqueeze(0), values.unsqueeze(0),
                                               mask.view({1, 1, groups * n, -1}), 0.0, false, shape_.scale)
                  .squeeze(0);
    out.push_back(
        mixed.view({n_kv, groups, n, head}).permute({2, 0, 1, 3}).reshape({n, groups * n_kv * head}));
  }
  return out.size() == 1 ? out[0] : at::cat(out);
}

}  // namespace depthlens::torch_backend
