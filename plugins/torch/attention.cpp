// SPDX-License-Identifier: Apache-2.0
#include "attention.hpp"

#include "device.hpp"
#include "tree_parents.hpp"

#include <c10/core/GradMode.h>

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

at::Tensor rounded_to_bf16(const at::Tensor& x) { return x.to(at::kBFloat16).to(at::kFloat); }

// What ALiBi adds to scores (KV heads, groups, queries, keys), of 1 query where it is the same for all: see
// alibi_bias of depthlens/backend/alibi.hpp.
at::Tensor alibi_of(const attention_form& form, const at::Tensor& keys, const at::Tensor& queries) {
  const at::Tensor slopes = form.alibi_slopes.view({form.n_kv_heads(), form.groups(), 1, 1});
  if (form.shape.alibi == DLENS_ALIBI) return slopes * (keys.unsqueeze(0) - queries.unsqueeze(1));
  const at::Tensor products = rounded_to_bf16(slopes) * rounded_to_bf16(keys);
  return rounded_to_bf16(products).mul_(static_cast<float>(form.shape.scale));
}

}  // namespace

tree_attention::tree_attention(const token_tree& tree, std::vector<std::int64_t> queries, at::Device device)
    : tree_(tree), parent_(parents_of(tree)), queries_(std::move(queries)), device_(device) {
  for (std::size_t begin = 0; begin < queries_.size(); begin = static_cast<std::size_t>(chunks_.back().end))
    chunks_.push_back(make_chunk(begin));
}

// The queries from `begin` on whose tokens lie near each other.
tree_attention::chunk tree_attention::make_chunk(std::size_t begin) const {
  const std::int64_t first = queries_[begin];
  std::size_t end = begin;
  while (end < queries_.size() && queries_[end] < first + chunk_tokens(device_)) ++end;
  const std::int64_t stop = queries_[end - 1] + 1;
  std::vector<std::int64_t> keys = path_to(parent_, parent_[static_cast<std::size_t>(first)]);
  const auto n_path = static_cast<std::int64_t>(keys.size());
  for (std::int64_t t = first; t < stop; ++t) keys.push_back(t);
  const auto positions_of = [&](auto from, auto to) {
    std::vector<float> out;
    for (; from != to; ++from)
      out.push_back(static_cast<float>(tree_.position[static_cast<std::size_t>(*from)]));
    return to_device(out, device_);
  };
  chunk c{.begin = static_cast<std::int64_t>(begin),
          .end = static_cast<std::int64_t>(end),
          .first_query = first,
          .n_path = n_path,
          .first = keys.front(),
          .stop = stop,
          .keys = {},
          .key_positions = positions_of(keys.begin(), keys.end()),
          .query_positions = positions_of(queries_.begin() + static_cast<std::ptrdiff_t>(begin),
                                          queries_.begin() + static_cast<std::ptrdiff_t>(end))};
  if (stop - keys.front() != static_cast<std::int64_t>(keys.size())) c.keys = to_device(keys, device_);
  return c;
}

const at::Tensor& tree_attention::mask(chunk& c, std::uint32_t window) const {
  at::Tensor& made = c.masks[window];
  if (made.defined()) return made;
  const std::int64_t n_keys = c.key_positions.size(0);
  const at::Tensor here = at::full({c.n(), n_keys}, -std::numeric_limits<float>::infinity(), at::kFloat);
  const sight sees{
      .tree = tree_, .parent = parent_, .first = c.first_query, .n_path = c.n_path, .window = window};
  for (std::int64_t i = 0; i < c.n(); ++i)
    sees.mark(queries_[static_cast<std::size_t>(c.begin + i)], here.data_ptr<float>() + i * n_keys);
  return made = to_device(here, device_);
}

const at::Tensor& tree_attention::row_mask(chunk& c, const attention_form& form, at::ScalarType type) const {
  at::Tensor& made = c.row_masks[{form.shape.window, form.groups()}];
  if (!made.defined()) made = mask(c, form.shape.window).to(type).repeat({form.groups(), 1});
  return made;
}

// (KV heads, keys, width)
at::Tensor tree_attention::chunk::keys_of(const at::Tensor& all) const {
  return (keys.defined() ? all.index_select(0, keys) : all.narrow(0, first, stop - first)).transpose(0, 1);
}

// With what libtorch's own attention does not have. q (KV heads, groups * queries, head_dim), k, v (KV heads,
// keys, width).
at::Tensor tree_attention::scored(chunk& c, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                  const attention_form& form) const {
  const std::int64_t n_kv = form.n_kv_heads(), groups = form.groups(), n_keys = k.size(1);
  const double cap = form.shape.softcap;
  at::Tensor s = at::matmul(q, k.transpose(-2, -1)).to(at::kFloat).mul_(form.shape.scale);
  if (cap != 0) s = s.div_(cap).tanh_().mul(cap);
  s = s.view({n_kv, groups, c.n(), n_keys}).add_(mask(c, form.shape.window));
  if (form.alibi_slopes.defined()) s.add_(alibi_of(form, c.key_positions, c.query_positions));
  if (form.sinks.defined())
    s = at::cat({s, form.sinks.view({n_kv, groups, 1, 1}).expand({-1, -1, c.n(), 1})}, -1);
  const at::Tensor weight = at::softmax(s, -1).narrow(-1, 0, n_keys).to(v.scalar_type());
  return at::matmul(weight.reshape({n_kv, groups * c.n(), n_keys}), v);
}

at::Tensor tree_attention::apply(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                 const attention_form& form) const {
  const std::int64_t groups = form.groups(), n_kv = form.n_kv_heads(), width = v.size(2);
  // Derivatives go through single steps, whose sums have a fixed order on every device.
  const bool plain = form.shape.softcap == 0 && !form.sinks.defined() && !form.alibi_slopes.defined() &&
                     !c10::GradMode::is_enabled();
  std::vector<at::Tensor> out;
  for (chunk& c : chunks_) {
    const std::int64_t n = c.n();
    // Heads that share keys are rows of one product: (KV heads, groups * n, head_dim).
    const at::Tensor rows = q.narrow(0, c.begin, n)
                                .reshape({n, n_kv, groups, q.size(2)})
                                .permute({1, 2, 0, 3})
                                .reshape({n_kv, groups * n, q.size(2)});
    const at::Tensor keys = c.keys_of(k), values = c.keys_of(v);
    const at::Tensor mixed =
        plain ? at::scaled_dot_product_attention(rows.unsqueeze(0), keys.unsqueeze(0), values.unsqueeze(0),
                                                 row_mask(c, form, q.scalar_type()).unsqueeze(0).unsqueeze(0),
                                                 0.0, false, form.shape.scale)
                    .squeeze(0)
              : scored(c, rows, keys, values, form);
    out.push_back(
        mixed.reshape({n_kv, groups, n, width}).permute({2, 0, 1, 3}).reshape({n, groups * n_kv * width}));
  }
  return out.size() == 1 ? out[0] : at::cat(out);
}

}  // namespace depthlens::torch_backend
