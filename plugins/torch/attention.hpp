// SPDX-License-Identifier: Apache-2.0
// Attention over a tree of tokens. In depth-first order every ancestor of the tokens first..end-1 is one of
// them or an ancestor of the first, so queries go in chunks, each against its own tokens and one path, with a
// mask for the rest.
#pragma once

#include "depthlens/backend/token_tree.hpp"

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <vector>

namespace depthlens::torch_backend {

// The same for all layers but for the window.
struct attention_shape {
  std::int64_t n_heads, n_kv_heads, head_dim;
  double scale, softcap;               // softcap: 0 = none
  std::vector<std::uint32_t> windows;  // that layers may ask for, 0 = all
  at::ScalarType type;                 // of queries, keys and values

  // Query heads that share keys and values.
  std::int64_t groups() const { return n_heads / n_kv_heads; }
};

class tree_attention {
 public:
  // queries: indices in tree order of the tokens that ask, ascending. `shape` outlives it.
  tree_attention(const token_tree& tree, const std::vector<std::int64_t>& queries,
                 const attention_shape& shape, at::Device device);

  // q (queries, H, head_dim), k, v (T, KV heads, head_dim), turned by their positions -> (queries, H *
  // head_dim).
  at::Tensor apply(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, std::uint32_t window) const;

 private:
  struct chunk {
    std::int64_t begin, end;                    // of the queries
    std::int64_t first, stop;                   // keys, where they lie side by side
    at::Tensor keys;                            // indices of the keys, undefined where they lie side by side
    std::map<std::uint32_t, at::Tensor> masks;  // by window: (groups * queries, keys), added to the scores

    at::Tensor keys_of(const at::Tensor& all) const;
  };
  chunk make_chunk(const token_tree& tree, const std::vector<std::int64_t>& parent,
                   const std::vector<std::int64_t>& queries, std::size_t begin, at::Device device) const;

  const attention_shape& shape_;
  std::vector<chunk> chunks_;
};

}  // namespace depthlens::torch_backend
