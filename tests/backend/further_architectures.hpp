// SPDX-License-Identifier: Apache-2.0
// Small models of the forms whose blocks are not all alike: experts, delta rules, attention of low rank, and
// the other parts of architecture.h, alone and put together as the families do. None of them makes much more
// of a rounding of its weights than those of architectures.hpp do: 1e-5 is to be what float32 can keep.
#pragma once

#include "architectures.hpp"

#include <vector>

namespace depthlens::testing {

using reference::delta_shape;
using reference::expert_shape;
using reference::latent_shape;

inline std::vector<named_shape> attention_parts() {
  return {
      {"ALiBi", {.rope_dims = 0, .seed = 90, .alibi = DLENS_ALIBI}},
      {"ALiBi rounded, in windows",
       {.rope_dims = 0, .seed = 91, .windows = {3, 0, 17}, .alibi = DLENS_ALIBI_ROUNDED}},
      {"sinks, in windows and without", {.seed = 92, .windows = {3, 0, 17}, .sinks = true}},
      {"sinks and capped scores", {.seed = 93, .attention_softcap = 1.5, .sinks = true}},
      {"clipped queries, keys and values", {.biased = true, .seed = 94, .clip = 0.6}},
      {"gated attention", {.seed = 95, .attn_gate = true}},
      {"norms with weights for each head", {.seed = 96, .qk = qk_norm::own_heads}},
      {"norms with weights for each head, of one key head",
       {.kv_heads = 1, .seed = 104, .qk = qk_norm::own_heads}},
      {"layer norms with weights for each head, and one of values",
       {.seed = 97, .norm_kind = DLENS_NORM_LAYER, .qk = qk_norm::own_heads, .v_norm = true}},
      {"blocks without rotation", {.seed = 98, .no_rope = {false, true, false}}},
      {"shared keys and values",
       {.layers = 5, .seed = 99, .windows = {0, 3, 0, 3, 0}, .shared_kv_layers = 2}},
      {"low rank",
       {.rope_kind = DLENS_ROPE_INTERLEAVED, .rope_dims = 4, .seed = 100, .latent = latent_shape{}}},
      {"low rank of queries too, values wider than keys",
       {.head_dim = 10,
        .rope_dims = 4,
        .seed = 101,
        .rope_scale = 1.2,
        .latent = latent_shape{.q_rank = 14, .kv_rank = 9, .value_dim = 21}}},
  };
}

inline std::vector<named_shape> block_parts_and_rules() {
  return {
      {"delta rules", {.seed = 110, .residual_scale = 0.4, .delta = delta_shape{}}},
      {"delta rules and attention in turn",
       {.seed = 111, .residual_scale = 0.4, .delta = delta_shape{.layers = {true, false, true}}}},
      {"delta rules of wide heads",
       {.layers = 2,
        .seed = 112,
        .delta =
            delta_shape{.key_heads = 1, .value_heads = 3, .key_dim = 33, .value_dim = 40, .conv_width = 3}}},
      {"scaled residuals and outputs",
       {.seed = 113, .post_norms = true, .residual_scale = 0.4, .output_scale = 0.9}},
      {"norms after the residual",
       {.seed = 114,
        .norm_kind = DLENS_NORM_LAYER,
        .block_form = DLENS_BLOCK_NORM_AFTER,
        .norm_biases = true}},
      {"projected embeddings and no final norm",
       {.seed = 115, .final_softcap = 30, .final_norm = false, .embed_dim = 20}},
      {"a norm of embeddings",
       {.seed = 116, .norm_kind = DLENS_NORM_LAYER, .norm_biases = true, .embed_norm = true}},
      {"layer inputs", {.seed = 117, .activation = DLENS_ACTIVATION_GELU_TANH, .layer_inputs = 24}},
      {"a clamped gate", {.seed = 118, .activation = DLENS_ACTIVATION_CLAMPED, .biased_inner = true}},
  };
}

inline std::vector<named_shape> expert_parts() {
  return {
      {"experts", {.seed = 3120, .experts = expert_shape{}}},
      {"experts of which one is used", {.seed = 121, .experts = expert_shape{.n = 7, .used = 1}}},
      {"experts that are all used, normalised",
       {.seed = 122, .experts = expert_shape{.n = 3, .used = 3, .normalised = true}}},
      {"biased experts with a clamped gate, a softmax of the chosen",
       {.seed = 123,
        .activation = DLENS_ACTIVATION_CLAMPED,
        .biased_inner = true,
        .experts = expert_shape{.n = 6, .router = DLENS_ROUTER_CHOSEN_SOFTMAX}}},
      {"a shared expert behind a router of its own",
       {.seed = 124, .experts = expert_shape{.shared = 31, .shared_router = true}}},
      {"sigmoids, groups by their best two, a correction, a shared expert, the first block dense",
       {.seed = 125,
        .experts = expert_shape{.n = 8,
                                .used = 3,
                                .shared = 24,
                                .router = DLENS_ROUTER_SIGMOID,
                                .group_score = DLENS_GROUPS_BEST_TWO,
                                .groups = 4,
                                .groups_used = 2,
                                .normalised = true,
                                .correction = true,
                                .dense_layers = 1,
                                .scale = 2.5}}},
      {"groups by their best",
       {.seed = 126,
        .experts =
            expert_shape{
                .n = 6, .used = 2, .group_score = DLENS_GROUPS_BEST, .groups = 3, .groups_used = 1}}},
      {"experts beside a dense part, with norms of their own",
       {.seed = 127,
        .post_norms = true,
        .experts = expert_shape{.normalised = true, .norms = true, .dense_too = true}}},
      {"experts without a gate, in parallel blocks",
       {.seed = 128, .block_form = DLENS_BLOCK_PARALLEL, .gated = false, .experts = expert_shape{}}},
  };
}

inline std::vector<named_shape> further_families() {
  return {
      {"Qwen 3.5",
       {.layers = 4,
        .head_dim = 16,
        .rope_dims = 4,
        .tied = false,
        .seed = 3130,
        .qk = qk_norm::each_head,
        .norm_offset = 1,
        .attn_gate = true,
        .delta = delta_shape{.key_dim = 24, .value_dim = 33, .layers = {true, true, true, false}}}},
      {"gpt-oss",
       {.layers = 4,
        .tied = false,
        .seed = 131,
        .activation = DLENS_ACTIVATION_CLAMPED,
        .biased_qkv = true,
        .biased_inner = true,
        .rope_scale = 1.2,
        .windows = {7, 0, 7, 0},
        .sinks = true,
        .experts = expert_shape{.n = 6, .router = DLENS_ROUTER_CHOSEN_SOFTMAX}}},
      {"Gemma 4",
       {.layers = 4,
        .kv_heads = 1,
        .seed = 132,
        .activation = DLENS_ACTIVATION_GELU_TANH,
        .post_norms = true,
        .qk = qk_norm::each_head,
        .local_rope = true,
        .embed_scale = 6.928203,
        .attention_scale = 0.25,
        .final_softcap = 8,
        .windows = {6, 0, 6, 0},
        .v_norm = true,
        .output_scale = 0.8,
        .layer_inputs = 8,
        .experts = expert_shape{.normalised = true, .norms = true, .dense_too = true}}},
  };
}

inline std::vector<named_shape> deepseek_and_bloom() {
  return {
      {"DeepSeek 3",
       {.layers = 3,
        .rope_kind = DLENS_ROPE_INTERLEAVED,
        .rope_dims = 4,
        .tied = false,
        .seed = 133,
        .latent = latent_shape{.q_rank = 14},
        .experts = expert_shape{.n = 8,
                                .used = 3,
                                .shared = 24,
                                .router = DLENS_ROUTER_SIGMOID,
                                .group_score = DLENS_GROUPS_BEST_TWO,
                                .groups = 4,
                                .groups_used = 2,
                                .normalised = true,
                                .correction = true,
                                .dense_layers = 1,
                                .scale = 2.5}}},
      {"BLOOM",
       {.kv_heads = 4,
        .rope_dims = 0,
        .biased = true,
        .seed = 134,
        .norm_kind = DLENS_NORM_LAYER,
        .activation = DLENS_ACTIVATION_GELU_TANH,
        .norm_biases = true,
        .gated = false,
        .embed_norm = true,
        .alibi = DLENS_ALIBI}},
  };
}

inline std::vector<named_shape> further_shapes() {
  std::vector<named_shape> all = attention_parts();
  for (const auto& more : {block_parts_and_rules(), expert_parts(), further_families(), deepseek_and_bloom()})
    for (const named_shape& one : more) all.push_back(one);
  return all;
}

}  // namespace depthlens::testing
