// SPDX-License-Identifier: Apache-2.0
// For backends: the weights of one block, in whatever form a backend holds norms, linear maps and vectors,
// and the tensors that each comes from. What a block does with them is said in abi/architecture.h.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/backend/checked_architecture.hpp"
#include "depthlens/backend/tensor_set.hpp"
#include "depthlens/base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace depthlens {

// Of a dense part, or of an expert.
template <class Map, class Inner>
struct channel_parts {
  bool gated = false;
  Inner inner;  // gate, then up: (2 F, D); up alone, (F, D), if not gated
  Map down;     // (D, F)
};

// Linear maps have their outputs as rows. What a model does not have is absent.
template <class Norm, class Map, class Inner, class Vector>
struct block_parts {
  Norm attn_norm, attn_post_norm;  // (D)
  Norm ffn_norm, ffn_post_norm;    // (D)

  Norm q_norm, k_norm, v_norm;  // of each head, of all heads, or one for each head
  Map q;                        // (H hd, D), or (H hd, q_rank)
  Map kv;                       // keys, then values: (2 Hkv hd, D); none of low rank
  Map attn_gate;                // (H vd, D)
  Map o;                        // (D, H vd)
  Vector sinks;                 // (H)

  Map q_down, kv_down, k_rope;     // (q_rank, D), (kv_rank, D), (rope_dims, D)
  Norm q_down_norm, kv_down_norm;  // (q_rank), (kv_rank)
  Map latent_k, latent_v;          // (H (hd - rope_dims), kv_rank), (H vd, kv_rank)

  Map delta_qk, delta_v_gate, delta_beta_step;  // two maps each, one below the other
  Vector delta_conv;                            // (channels, conv_width)
  Vector decay, step_bias;                      // (Hv)
  Norm delta_norm;                              // (vd)

  channel_parts<Map, Inner> dense, shared;
  Norm dense_post_norm;  // (D)

  Map router;                                       // (E, D)
  Vector router_correction, expert_scale;           // (E)
  Norm router_norm, expert_norm, expert_post_norm;  // (D)
  std::vector<channel_parts<Map, Inner>> experts;   // (E)
  Map shared_router;                                // (1, D)

  Map layer_gate, layer_out;  // (P, D), (D, P)
  Norm layer_post_norm;       // (D)
};

// visit(norm) for each of a block's norms.
template <class Block, class Visit>
void visit_norms(Block& b, const Visit& visit) {
  for (auto* norm : {&b.attn_norm, &b.attn_post_norm, &b.q_norm, &b.k_norm, &b.v_norm, &b.ffn_norm,
                     &b.ffn_post_norm, &b.q_down_norm, &b.kv_down_norm, &b.delta_norm, &b.dense_post_norm,
                     &b.router_norm, &b.expert_norm, &b.expert_post_norm, &b.layer_post_norm})
    visit(*norm);
}

// Tensors of (rows, inputs) each, one below the other: one linear map. The bias of a tensor is NAME.bias; one
// without counts as zero.
struct stacked_tensors {
  std::vector<std::string> names;
  std::size_t rows, inputs;
};

// Over how many values a norm goes, how it is computed, and for how many such stretches its weights are.
struct norm_form {
  std::size_t n;
  std::uint32_t kind;  // DLENS_NORM_...
  double eps, offset;
  std::size_t stretches = 1;
};

namespace detail {

// Fills a block by the loader's functions.
template <class Block, class Loader>
class block_loader {
 public:
  block_loader(Block& to, const tensor_set& tensors, const owned_architecture& arch, std::uint32_t layer,
               Loader& loader)
      : to_(to), tensors_(tensors), arch_(arch), shape_(arch.blocks[layer]), layer_(layer), loader_(loader) {}

  void load() {
    norm(to_.attn_norm, "attn_norm", d());
    norm(to_.attn_post_norm, "attn_post_norm", d());
    norm(to_.ffn_norm, "ffn_norm", d());
    norm(to_.ffn_post_norm, "ffn_post_norm", d());
    if (shape_.attention) load_attention(*shape_.attention);
    if (shape_.delta) load_delta_rule(*shape_.delta);
    if (shape_.form.d_ff > 0) channel(to_.dense, "", {"gate", "up", "down"}, shape_.form.d_ff);
    norm(to_.dense_post_norm, "dense_post_norm", d());
    if (shape_.experts) load_experts(*shape_.experts);
    if (!arch_.layer_inputs) return;
    map(to_.layer_gate, {"layer_gate"}, arch_.layer_inputs->dim, d());
    map(to_.layer_out, {"layer_out"}, d(), arch_.layer_inputs->dim);
    norm(to_.layer_post_norm, "layer_post_norm", d());
  }

 private:
  std::size_t d() const { return arch_.all.d_model; }
  std::string name(const std::string& part) const { return cat("block.", layer_, ".", part); }
  bool has(const std::string& part) const { return tensors_.has(name(part)); }

  template <class Norm>
  void norm(Norm& to, const char* part, std::size_t n) {
    loader_.load(to, name(part),
                 norm_form{n, arch_.all.norm_kind, arch_.all.norm_eps, arch_.all.norm_offset});
  }
  template <class Norm>
  void latent_norm(Norm& to, const char* part, std::size_t n) {
    loader_.load(to, name(part),
                 norm_form{n, arch_.all.norm_kind, shape_.attention->latent_norm_eps, arch_.all.norm_offset});
  }
  template <class Norm>
  void head_norm(Norm& to, const char* part, std::size_t heads, std::size_t head) {
    norm_form form{head, arch_.all.norm_kind, arch_.all.norm_eps, arch_.all.norm_offset};
    if (has(part) && tensors_.length(name(part)) == 0) form.stretches = heads;  // a matrix
    if (heads > 1 && tensors_.length(name(part)) == heads * head) form.n = heads * head;
    loader_.load(to, name(part), form);
  }
  template <class Map>
  void map(Map& to, std::vector<std::string> parts, std::size_t rows, std::size_t inputs) {
    for (std::string& part : parts) part = name(part);
    loader_.load(to, stacked_tensors{std::move(parts), rows, inputs});
  }

  void load_attention(const dlens_attention& a) {
    const std::size_t q = std::size_t{a.n_heads} * a.head_dim, mixed = std::size_t{a.n_heads} * a.value_dim;
    head_norm(to_.q_norm, "q_norm", a.n_heads, a.head_dim);
    map(to_.q, {"q"}, q, a.q_rank > 0 ? a.q_rank : d());
    if (a.kv_rank > 0) {
      load_latent(a);
    } else if (!shape_.shares_kv(layer_)) {
      map(to_.kv, {"k", "v"}, std::size_t{a.n_kv_heads} * a.head_dim, d());
      head_norm(to_.k_norm, "k_norm", a.n_kv_heads, a.head_dim);
      head_norm(to_.v_norm, "v_norm", a.n_kv_heads, a.value_dim);
    }
    if (has("attn_gate")) map(to_.attn_gate, {"attn_gate"}, mixed, d());
    loader_.load(to_.sinks, name("sinks"), a.n_heads);
    map(to_.o, {"o"}, d(), mixed);
  }

  void load_latent(const dlens_attention& a) {
    if (a.q_rank > 0) {
      map(to_.q_down, {"q_down"}, a.q_rank, d());
      latent_norm(to_.q_down_norm, "q_down_norm", a.q_rank);
    }
    map(to_.kv_down, {"kv_down"}, a.kv_rank, d());
    latent_norm(to_.kv_down_norm, "kv_down_norm", a.kv_rank);
    if (a.rope_dims > 0) map(to_.k_rope, {"k_rope"}, a.rope_dims, d());
    map(to_.latent_k, {"k"}, std::size_t{a.n_heads} * (a.head_dim - a.rope_dims), a.kv_rank);
    map(to_.latent_v, {"v"}, std::size_t{a.n_heads} * a.value_dim, a.kv_rank);
  }

  void load_delta_rule(const dlens_delta_rule& r) {
    const std::size_t keys = std::size_t{r.n_key_heads} * r.key_dim;
    const std::size_t values = std::size_t{r.n_value_heads} * r.value_dim;
    map(to_.delta_qk, {"delta_q", "delta_k"}, keys, d());
    map(to_.delta_v_gate, {"delta_v", "delta_gate"}, values, d());
    map(to_.delta_beta_step, {"delta_beta", "delta_step"}, r.n_value_heads, d());
    loader_.load_matrix(to_.delta_conv, name("delta_conv"), 2 * keys + values, r.conv_width);
    for (const char* part : {"decay", "step_bias"})
      if (!has(part)) fail(status::data, "the model has no tensor ", name(part));
    loader_.load(to_.decay, name("decay"), r.n_value_heads);
    loader_.load(to_.step_bias, name("step_bias"), r.n_value_heads);
    loader_.load(to_.delta_norm, name("delta_norm"),
                 norm_form{r.value_dim, DLENS_NORM_RMS, arch_.all.norm_eps, 0});
    map(to_.o, {"o"}, d(), values);
  }

  void load_experts(const dlens_experts& e) {
    map(to_.router, {"router"}, e.n_experts, d());
    norm(to_.router_norm, "router_norm", d());
    norm(to_.expert_norm, "expert_norm", d());
    norm(to_.expert_post_norm, "expert_post_norm", d());
    loader_.load(to_.router_correction, name("router_correction"), e.n_experts);
    loader_.load(to_.expert_scale, name("expert_scale"), e.n_experts);
    to_.experts.resize(e.n_experts);
    for (std::size_t i = 0; i < e.n_experts; ++i)
      channel(to_.experts[i], cat("expert.", i, "."), {"gate", "up", "down"}, e.d_ff);
    if (e.d_shared == 0) return;
    channel(to_.shared, "", {"shared_gate", "shared_up", "shared_down"}, e.d_shared);
    if (has("shared_router")) map(to_.shared_router, {"shared_router"}, 1, d());
  }

  struct channel_names {
    std::string gate, up, down;
  };
  template <class Channel>
  void channel(Channel& to, const std::string& before, const channel_names& part, std::size_t f) {
    to.gated = has(before + part.gate);
    std::vector<std::string> inner{before + part.up};
    if (to.gated) inner.insert(inner.begin(), before + part.gate);
    map(to.inner, std::move(inner), f, d());
    map(to.down, {before + part.down}, d(), f);
  }

  Block& to_;
  const tensor_set& tensors_;
  const owned_architecture& arch_;
  const block_shape& shape_;
  const std::uint32_t layer_;
  Loader& loader_;
};

}  // namespace detail

// Fills a block by the loader's functions, in the order in which it holds them:
//   load(Norm& to, const std::string& name, const norm_form&), load(Vector& to, const std::string& name,
//   std::size_t n): absent where there is no tensor of that name
//   load_matrix(Vector& to, const std::string& name, std::size_t rows, std::size_t columns)
//   load(Map& to, const stacked_tensors& from), and of Inner the same
template <class Block, class Loader>
void load_block(Block& to, const tensor_set& tensors, const owned_architecture& arch, std::uint32_t layer,
                Loader& loader) {
  detail::block_loader<Block, Loader>(to, tensors, arch, layer, loader).load();
}

}  // namespace depthlens
