// SPDX-License-Identifier: Apache-2.0
// What a model asks a backend for, by the names of abi/architecture.h.
#pragma once

#include "depthlens/abi/architecture.h"
#include "depthlens/base/error.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

namespace detail {

class op_list {
 public:
  op_list(const dlens_architecture& a, const std::set<std::string_view>& tensors)
      : all_(a), tensors_(tensors) {}

  std::vector<const char*> list() {
    add_outside();
    for (std::uint32_t i = 0; i < all_.n_layers; ++i) add_block(i, *all_.blocks[i]);
    return out_;
  }

 private:
  void add(bool needed, const char* op) {
    if (needed && seen_.insert(op).second) out_.push_back(op);
  }
  bool has(const std::string& name) const { return tensors_.contains(name); }

  void add_outside() {
    add(all_.norm_kind == DLENS_NORM_RMS, DLENS_OP_NORM_RMS);
    add(all_.norm_kind == DLENS_NORM_LAYER, DLENS_OP_NORM_LAYER);
    add(all_.norm_offset != 0, DLENS_OP_NORM_OFFSET);
    add(all_.embed_scale != 1, DLENS_OP_EMBED_SCALE);
    add(has("embed_norm"), DLENS_OP_EMBED_NORM);
    add(all_.embed_dim != all_.d_model || has("in_projection") || has("out_projection"),
        DLENS_OP_EMBED_PROJECTION);
    add(has("position"), DLENS_OP_POSITIONS);
    add(all_.layer_inputs != nullptr, DLENS_OP_LAYER_INPUTS);
    add(all_.final_softcap != 0, DLENS_OP_FINAL_SOFTCAP);
    add(!has("final_norm"), DLENS_OP_NO_FINAL_NORM);
    add(has("unembed.bias"), DLENS_OP_UNEMBED_BIAS);
    for (const std::string_view name : tensors_)
      add(name.ends_with(".bias") && name != "unembed.bias", DLENS_OP_BIAS);
  }

  void add_block(std::uint32_t layer, const dlens_block& b) {
    const std::string at = cat("block.", layer, ".");
    add(b.form == DLENS_BLOCK_SEQUENTIAL, DLENS_OP_SEQUENTIAL);
    add(b.form == DLENS_BLOCK_PARALLEL, DLENS_OP_PARALLEL);
    add(b.form == DLENS_BLOCK_NORM_AFTER, DLENS_OP_NORM_AFTER);
    add(b.residual_scale != 1, DLENS_OP_RESIDUAL_SCALE);
    add(b.output_scale != 1, DLENS_OP_OUTPUT_SCALE);
    const bool attn = has(at + "attn_norm"), ffn = has(at + "ffn_norm");
    add(attn && ffn, DLENS_OP_PRE_NORMS);
    add(!attn || !ffn, DLENS_OP_SOME_NORMS);
    for (const char* norm : {"attn_post_norm", "ffn_post_norm", "dense_post_norm"})
      add(has(at + norm), DLENS_OP_POST_NORMS);
    if (b.attention) add_attention(layer, at, *b.attention);
    add(b.delta_rule != nullptr, DLENS_OP_DELTA_RULE);
    static constexpr const char* activations[] = {DLENS_OP_SILU, DLENS_OP_GELU, DLENS_OP_GELU_TANH,
                                                  DLENS_OP_RELU, DLENS_OP_CLAMPED};
    add(true, activations[b.activation - 1]);
    add(b.d_ff > 0, DLENS_OP_DENSE);
    if (b.d_ff > 0) add(true, has(at + "gate") ? DLENS_OP_GATE : DLENS_OP_NO_GATE);
    if (b.experts) add_experts(at, *b.experts);
  }

  void add_attention(std::uint32_t layer, const std::string& at, const dlens_attention& a) {
    add(a.kv_rank == 0, DLENS_OP_ATTENTION);
    add(a.kv_rank > 0, DLENS_OP_LATENT_ATTENTION);
    add(a.window != 0, DLENS_OP_WINDOW);
    add(a.rope_dims > 0 && a.rope_kind == DLENS_ROPE_HALF, DLENS_OP_ROPE_HALF);
    add(a.rope_dims > 0 && a.rope_kind == DLENS_ROPE_INTERLEAVED, DLENS_OP_ROPE_INTERLEAVED);
    add(a.rope_dims != a.head_dim && a.kv_rank == 0, DLENS_OP_ROPE_PART);
    add(a.rope_dims > 0 && a.rope_scale != 1, DLENS_OP_ROPE_SCALE);
    add(a.rope_dims > 0 && a.rope_long_inverse_frequency != nullptr, DLENS_OP_ROPE_LONG);
    add(a.alibi == DLENS_ALIBI, DLENS_OP_ALIBI);
    add(a.alibi == DLENS_ALIBI_ROUNDED, DLENS_OP_ALIBI_ROUNDED);
    add(a.softcap != 0, DLENS_OP_ATTENTION_SOFTCAP);
    add(a.clip != 0, DLENS_OP_ATTENTION_CLIP);
    add(a.kv_layer != layer, DLENS_OP_SHARED_KV);
    add(has(at + "sinks"), DLENS_OP_ATTENTION_SINKS);
    add(has(at + "attn_gate"), DLENS_OP_ATTENTION_GATE);
    for (const char* norm : {"q_norm", "k_norm", "v_norm"}) add(has(at + norm), DLENS_OP_HEAD_NORMS);
  }

  void add_experts(const std::string& at, const dlens_experts& e) {
    static constexpr const char* routers[] = {DLENS_OP_ROUTER_SOFTMAX, DLENS_OP_ROUTER_SIGMOID,
                                              DLENS_OP_ROUTER_CHOSEN_SOFTMAX};
    add(true, DLENS_OP_EXPERTS);
    add(true, routers[e.router - 1]);
    add(true, has(at + "expert.0.gate") ? DLENS_OP_GATE : DLENS_OP_NO_GATE);
    add(e.d_shared > 0, DLENS_OP_SHARED_EXPERT);
    add(e.group_score != DLENS_GROUPS_NONE, DLENS_OP_ROUTER_GROUPS);
    add(has(at + "router_correction"), DLENS_OP_ROUTER_CORRECTION);
    for (const char* part : {"router_norm", "expert_norm", "expert_post_norm", "expert_scale"})
      add(has(at + part), DLENS_OP_EXPERT_NORMS);
  }

  const dlens_architecture& all_;
  const std::set<std::string_view>& tensors_;
  std::set<std::string_view> seen_;
  std::vector<const char*> out_;
};

}  // namespace detail

// Each once; static texts. tensors: the names of all that the model has.
inline std::vector<const char*> ops_of(const dlens_architecture& a,
                                       const std::set<std::string_view>& tensors) {
  return detail::op_list(a, tensors).list();
}

}  // namespace depthlens
