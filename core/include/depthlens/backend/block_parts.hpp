// SPDX-License-Identifier: Apache-2.0
// For backends: the weights of one block, in whatever form a backend holds norms and linear maps, and the
// tensors that each comes from. What a block does with them is said in abi/backend.h.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/backend/tensor_set.hpp"
#include "depthlens/base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace depthlens {

// Linear maps have their outputs as rows. Norms that a model does not have are absent.
template <class Norm, class Map, class Inner>
struct block_parts {
  Norm attn_norm, attn_post_norm;  // (D)
  Norm q_norm, k_norm;             // (head_dim), or of all heads
  Norm ffn_norm, ffn_post_norm;    // (D)
  Map q;                           // (H * head_dim, D)
  Map kv;                          // keys, then values: (2 * KV heads * head_dim, D)
  Map o;                           // (D, H * head_dim)
  bool gated = false;
  Inner inner;  // gate, then up: (2 F, D); up alone, (F, D), if not gated
  Map down;     // (D, F)
};

// visit(norm) for each of a block's norms.
template <class Block, class Visit>
void visit_norms(Block& b, const Visit& visit) {
  for (auto* norm : {&b.attn_norm, &b.attn_post_norm, &b.q_norm, &b.k_norm, &b.ffn_norm, &b.ffn_post_norm})
    visit(*norm);
}

// Tensors of (rows, inputs) each, one below the other: one linear map. The bias of a tensor is NAME.bias; one
// without counts as zero.
struct stacked_tensors {
  std::vector<std::string> names;
  std::size_t rows, inputs;
};

// Fills a block by the loader's functions, in the order in which it holds them:
//   load(Norm& to, const std::string& name, std::size_t n)
//   load(Map& to, const stacked_tensors& from), and of Inner the same
template <class Block, class Loader>
void load_block(Block& to, const tensor_set& tensors, const dlens_architecture& arch, std::uint32_t layer,
                Loader& loader) {
  const std::size_t d = arch.d_model, f = arch.d_ff, head = arch.head_dim;
  const std::size_t q = arch.n_heads * head, kv = arch.n_kv_heads * head;
  const auto name = [&](const char* part) { return cat("block.", layer, ".", part); };
  const auto head_norm = [&](auto& norm, const char* part, std::size_t all) {
    loader.load(norm, name(part), tensors.length(name(part)) == all ? all : head);
  };
  loader.load(to.attn_norm, name("attn_norm"), d);
  loader.load(to.attn_post_norm, name("attn_post_norm"), d);
  head_norm(to.q_norm, "q_norm", q);
  head_norm(to.k_norm, "k_norm", kv);
  loader.load(to.ffn_norm, name("ffn_norm"), d);
  loader.load(to.ffn_post_norm, name("ffn_post_norm"), d);
  loader.load(to.q, {{name("q")}, q, d});
  loader.load(to.kv, {{name("k"), name("v")}, kv, d});
  loader.load(to.o, {{name("o")}, d, q});
  to.gated = tensors.has(name("gate"));
  stacked_tensors inner{{name("up")}, f, d};
  if (to.gated) inner.names.insert(inner.names.begin(), name("gate"));
  loader.load(to.inner, inner);
  loader.load(to.down, {{name("down")}, d, f});
}

}  // namespace depthlens
