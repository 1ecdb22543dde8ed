// SPDX-License-Identifier: Apache-2.0
#include "attention.hpp"

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

std::vector<std::int64_t> parents_of(const cpu::token_tree& tree) {
  std::vector<std::int64_t> parent(tree.position.size()), path;
  for (std::size_t t = 0; t < parent.size(); ++t) {
    const auto depth = static_cast<std::size_t>(tree.position[t]);
    parent[t] = depth == 0 ? -1 : path[depth - 1];
    path.resize(depth);
    path.push_back(static_cast<std::int64_t>(t));
  }
  return parent;
}

// s (..., queries, keys)
at::Tensor capped_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const at::Tensor& mask, const attention_shape& shape) {
  at::Tensor s = at::matmul(q, k.transpose(-2, -1)).to(at::kFloat).mul_(shape.scale);
  s = s.div_(shape.softcap).tanh_().mul_(shape.softcap);
  s.masked_fill_(mask.logical_not(), -std::numeric_limits<float>::infinity());
  return at::matmul(at::softmax(s, -1).to(v.scalar_type()), v);
}

}  // namespace

tree_attention::tree_attention(const cpu::token_tree& tree, const std::vector<std::int64_t>& queries,
                               const std::vector<std::uint32_t>& windows, at::Device device) {
  const std::vector<std::int64_t> parent = parents_of(tree);
  const std::int64_t most = chunk_tokens(device);
  for (std::size_t begin = 0; begin < queries.size();) {
    // Queries of tokens that lie within `most` of each other.
    const std::int64_t first = queries[begin];
    std::size_t end = begin;
    while (end < queries.size() && queries[end] < first + most) ++end;
    const std::int64_t stop = queries[end - 1] + 1;
    std::vector<std::int64_t> keys = path_to(parent, parent[static_cast<std::size_t>(first)]);
    for (std::int64_t t = first; t < stop; ++t) keys.push_back(t);
    chunk c{static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end), keys.front(), stop, {}, {}};
    const bool side_by_side = stop - keys.front() == static_cast<std::int64_t>(keys.size());
    if (!side_by_side) c.keys = at::tensor(at::ArrayRef<std::int64_t>(keys), at::kLong).to(device);
    const auto n_keys = static_cast<std::int64_t>(keys.size());
    const auto n_path = n_keys - (stop - first);
    for (const std::uint32_t window : windows) {
      at::Tensor mask = at::zeros({c.end - c.begin, n_keys}, at::kBool);
      for (std::int64_t i = c.begin; i < c.end; ++i) {
        bool* row = mask.data_ptr<bool>() + (i - c.begin) * n_keys;
        std::uint32_t seen = 0;
        for (std::int64_t t = queries[static_cast<std::size_t>(i)]; t >= 0 && (window == 0 || seen < window);
             ++seen) {
          row[t >= first ? n_path + (t - first) : tree.position[static_cast<std::size_t>(t)]] = true;
          t = parent[static_cast<std::size_t>(t)];
        }
      }
      c.masks.emplace(window, mask.to(device));
    }
    chunks_.push_back(std::move(c));
    begin = end;
  }
}

at::Tensor tree_attention::apply(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                 const attention_shape& shape, std::uint32_t window) const {
  const std::int64_t groups = shape.n_heads / shape.n_kv_heads;
  std::vector<at::Tensor> out;
  for (const chunk& c : chunks_) {
    const std::int64_t n = c.end - c.begin;
    const auto heads_first = [&](const at::Tensor& all) {
      const at::Tensor here =
          c.keys.defined() ? all.index_select(0, c.keys) : all.narrow(0, c.first, c.stop - c.first);
      return here.transpose(0, 1);  // (KV heads, keys, head_dim)
    };
    // Heads that share keys are rows of one product: (KV heads, groups * n, head_dim).
    const at::Tensor rows = q.narrow(0, c.begin, n)
                                .view({n, shape.n_kv_heads, groups, shape.head_dim})
                                .permute({1, 2, 0, 3})
                                .reshape({shape.n_kv_heads, groups * n, shape.head_dim});
    const at::Tensor mask = c.masks.at(window).repeat({groups, 1});
    const at::Tensor keys = heads_first(k), values = heads_first(v);
    const at::Tensor mixed = shape.softcap != 0 ? capped_attention(rows, keys, values, mask, shape)
                                                : at::scaled_dot_product_attention(
                                                      rows.unsqueeze(0), keys.unsqueeze(0),
                                                      values.unsqueeze(0), mask, 0.0, false, shape.scale)
                                                      .squeeze(0);
    out.push_back(mixed.view({shape.n_kv_heads, groups, n, shape.head_dim})
                      .permute({2, 0, 1, 3})
                      .reshape({n, shape.n_heads * shape.head_dim}));
  }
  return out.size() == 1 ? out[0] : at::cat(out);
}

}  // namespace depthlens::torch_backend
