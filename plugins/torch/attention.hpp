// SPDX-License-Identifier: Apache-2.0
// Attention over a tree of tokens. In depth-first order every ancestor of the tokens first..end-1 is one of
// them or an ancestor of the first, so queries go in chunks, each against its own tokens and one path, with a
// mask for the rest. What queries, keys and values are made of: heads.hpp.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/backend/token_tree.hpp"

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace depthlens::torch_backend {

// How a block attends.
struct attention_form {
  const dlens_attention& shape;
  at::Tensor sinks;         // (H) float32, undefined = none
  at::Tensor alibi_slopes;  // the same

  std::int64_t n_kv_heads() const { return shape.n_kv_heads; }
  // Query heads that share keys and values.
  std::int64_t groups() const { return shape.n_heads / shape.n_kv_heads; }
};

// One thread.
class tree_attention {
 public:
  // queries: indices in tree order of the tokens that ask, ascending. `tree` outlives it.
  tree_attention(const token_tree& tree, std::vector<std::int64_t> queries, at::Device device);

  // q (queries, H, head_dim), k (T, KV heads, head_dim), v (T, KV heads, value_dim), of one type, turned by
  // their positions -> (queries, H * value_dim).
  at::Tensor apply(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                   const attention_form& form) const;

 private:
  struct chunk {
    std::int64_t begin, end;                      // of the queries
    std::int64_t first_query, n_path;             // the token, and how many keys are ancestors of it
    std::int64_t first, stop;                     // keys, where they lie side by side
    at::Tensor keys;                              // indices, undefined where they lie side by side
    at::Tensor key_positions, query_positions;    // float32
    std::map<std::uint32_t, at::Tensor> masks{};  // by window: (queries, keys) float32, added to scores
    // By window and groups: the same for all rows of a product, of the type of queries.
    std::map<std::pair<std::uint32_t, std::int64_t>, at::Tensor> row_masks{};

    std::int64_t n() const { return end - begin; }
    at::Tensor keys_of(const at::Tensor& all) const;
  };
  chunk make_chunk(std::size_t begin) const;
  const at::Tensor& mask(chunk& c, std::uint32_t window) const;
  const at::Tensor& row_mask(chunk& c, const attention_form& form, at::ScalarType type) const;
  at::Tensor scored(chunk& c, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    const attention_form& form) const;

  const token_tree& tree_;
  const std::vector<std::int64_t> parent_, queries_;
  const at::Device device_;
  mutable std::vector<chunk> chunks_;  // their masks are made when they are asked for
};

}  // namespace depthlens::torch_backend
