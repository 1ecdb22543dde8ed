// SPDX-License-Identifier: Apache-2.0
// Attention over a tree of tokens. In depth-first order every ancestor of the tokens first..end-1 is one of them or an
// ancestor of the first, so queries go in chunks, each against its own tokens and one path, with a mask for the rest.
#pragma once

#include "cpu/token_tree.hpp"

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <vector>

namespace depthlens::torch_backend {

struct attention_shape {
  std::int64_t n_heads, n_kv_heads, head_dim;
  double scale, softcap;  // softcap: 0 = none
};

class tree_attention {
 public:
  // queries: indices in tree order of the tokens that ask, ascending. windows: those that layers may ask for, 0 = all.
  tree_attention(const cpu::token_tree& tree, const std::vector<std::int64_t>& queries,
                 const std::vector<std::uint32_t>& windows, at::Device device);

  // q (queries, H, head_dim), k, v (T, KV heads, head_dim), turned by their positions -> (queries, H * head_dim).
  at::Tensor apply(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                   const attention_shape& shape, std::uint32_t window) const;

 private:
  struct chunk {
    std::int64_t begin, end;                    // of the queries
    std::int64_t first, stop;                   // keys, where they lie side by side
    at::Tensor keys;                            // indices of the keys, undefined where they lie side by side
    std::map<std::uint32_t, at::Tensor> masks;  // by window: (queries, keys), true = is attended to
  };
  std::vector<chunk> chunks_;
};

}  // namespace depthlens::torch_backend
