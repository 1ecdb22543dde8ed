// SPDX-License-Identifier: Apache-2.0
// Small models of every form: each part of dlens_architecture alone, and put together as the families do.
#pragma once

#include "backend_plugin.hpp"

#include <utility>
#include <vector>

namespace depthlens::testing {

struct named_shape {
  const char* name;
  model_shape shape;
};

inline std::vector<named_shape> single_parts() {
  return {
      {"layer norm", {.seed = 41, .norm_kind = DLENS_NORM_LAYER, .norm_biases = true}},
      {"layer norm of a width that is no multiple of a vector",
       {.width = 35, .seed = 42, .norm_kind = DLENS_NORM_LAYER}},
      {"RMS norm with an offset and biases", {.seed = 43, .norm_biases = true, .norm_offset = 1}},
      {"no norms", {.layers = 1, .seed = 44, .attn_norm = false, .ffn_norm = false}},
      {"post norms", {.seed = 45, .post_norms = true}},
      {"gated GELU", {.inner = 77, .seed = 46, .activation = DLENS_ACTIVATION_GELU}},
      {"gated GELU by tanh", {.inner = 77, .seed = 47, .activation = DLENS_ACTIVATION_GELU_TANH}},
      {"gated ReLU", {.seed = 48, .activation = DLENS_ACTIVATION_RELU}},
      {"no gate", {.inner = 77, .seed = 49, .gated = false}},
      {"parallel blocks with two norms", {.seed = 50, .block_form = DLENS_BLOCK_PARALLEL}},
      {"parallel blocks with one norm", {.seed = 51, .block_form = DLENS_BLOCK_PARALLEL, .ffn_norm = false}},
      {"parallel blocks without norms",
       {.layers = 1, .seed = 52, .block_form = DLENS_BLOCK_PARALLEL, .attn_norm = false, .ffn_norm = false}},
      {"norms of each head", {.seed = 53, .qk = qk_norm::each_head}},
      {"norms of all heads together", {.seed = 54, .qk = qk_norm::all_heads}},
      {"learned positions with an offset and no rotation",
       {.rope_dims = 0, .max_positions = 90, .seed = 55, .learned_positions = true, .position_offset = 2}},
      {"a bias of the unembedding, over several tiles",
       {.layers = 1, .vocabulary = 2003, .seed = 56, .biased_unembed = true}},
      {"scaled embeddings and scores", {.seed = 57, .embed_scale = 7, .attention_scale = 0.2}},
      {"capped scores", {.seed = 58, .attention_softcap = 1.5}},
      {"capped logits, over several tiles",
       {.layers = 1, .vocabulary = 2003, .seed = 59, .final_softcap = 4}},
      {"windows shorter and longer than a vector", {.seed = 60, .windows = {3, 21, 16}}},
      {"a window of one token, the token itself", {.seed = 61, .windows = {1, 0, 1}}},
      {"other rotary angles within windows", {.seed = 62, .local_rope = true, .windows = {9, 0, 9}}},
      {"a part of each head rotated and scaled", {.rope_dims = 8, .seed = 63, .rope_scale = 1.3}},
      {"rotated dimensions scaled outside windows",
       {.seed = 64, .local_rope = true, .rope_scale = 0.8, .windows = {9, 0, 9}}},
      {"other rotary angles of longer texts", {.seed = 65, .rope_scale = 1.2, .long_positions = 20}},
      {"other rotary angles of longer texts in some layers, interleaved",
       {.rope_kind = DLENS_ROPE_INTERLEAVED,
        .rope_dims = 8,
        .seed = 66,
        .local_rope = true,
        .long_positions = 31,
        .windows = {9, 0, 9}}},
      {"windows, several heads to a key and a head wider than a vector",
       {.layers = 2,
        .width = 40,
        .heads = 6,
        .kv_heads = 1,
        .head_dim = 72,
        .rope_dims = 72,
        .seed = 63,
        .attention_softcap = 3,
        .windows = {6, 33}}},
  };
}

inline std::vector<named_shape> gpt_families() {
  constexpr std::uint32_t layer = DLENS_NORM_LAYER, parallel = DLENS_BLOCK_PARALLEL;
  constexpr std::uint32_t gelu = DLENS_ACTIVATION_GELU, gelu_tanh = DLENS_ACTIVATION_GELU_TANH;
  return {
      {"GPT-2",
       {.kv_heads = 4,
        .rope_dims = 0,
        .max_positions = 80,
        .biased = true,
        .seed = 70,
        .norm_kind = layer,
        .activation = gelu_tanh,
        .norm_biases = true,
        .gated = false,
        .learned_positions = true}},
      {"GPT-NeoX",
       {.kv_heads = 4,
        .rope_dims = 4,
        .tied = false,
        .biased = true,
        .seed = 71,
        .norm_kind = layer,
        .activation = gelu,
        .block_form = parallel,
        .norm_biases = true,
        .gated = false}},
      {"GPT-NeoX, serial",
       {.kv_heads = 4,
        .rope_dims = 6,
        .tied = false,
        .biased = true,
        .seed = 72,
        .norm_kind = layer,
        .activation = gelu,
        .norm_biases = true,
        .gated = false}},
      {"GPT-J",
       {.kv_heads = 4,
        .rope_kind = DLENS_ROPE_INTERLEAVED,
        .rope_dims = 8,
        .tied = false,
        .seed = 73,
        .norm_kind = layer,
        .activation = gelu_tanh,
        .block_form = parallel,
        .ffn_norm = false,
        .norm_biases = true,
        .gated = false,
        .biased_inner = true,
        .biased_unembed = true}},
  };
}

inline std::vector<named_shape> other_families() {
  constexpr std::uint32_t gelu_tanh = DLENS_ACTIVATION_GELU_TANH;
  return {
      {"OPT",
       {.kv_heads = 4,
        .rope_dims = 0,
        .max_positions = 80,
        .biased = true,
        .seed = 74,
        .norm_kind = DLENS_NORM_LAYER,
        .activation = DLENS_ACTIVATION_RELU,
        .norm_biases = true,
        .gated = false,
        .learned_positions = true,
        .position_offset = 2}},
      {"Qwen 2", {.seed = 75, .biased_qkv = true}},
      {"Qwen 3", {.head_dim = 20, .rope_dims = 20, .seed = 76, .qk = qk_norm::each_head}},
      {"Mistral", {.kv_heads = 1, .tied = false, .seed = 77, .windows = {7, 7, 7}}},
      {"OLMo 2",
       {.tied = false,
        .seed = 78,
        .attn_norm = false,
        .ffn_norm = false,
        .post_norms = true,
        .qk = qk_norm::all_heads}},
      {"Gemma 2",
       {.head_dim = 20,
        .rope_dims = 20,
        .seed = 79,
        .activation = gelu_tanh,
        .post_norms = true,
        .norm_offset = 1,
        .embed_scale = 6.928203,
        .attention_scale = 0.25,
        .attention_softcap = 5,
        .final_softcap = 8,
        .windows = {7, 0, 7}}},
      {"Gemma 3",
       {.layers = 6,
        .kv_heads = 1,
        .head_dim = 20,
        .rope_dims = 20,
        .seed = 80,
        .activation = gelu_tanh,
        .post_norms = true,
        .qk = qk_norm::each_head,
        .local_rope = true,
        .norm_offset = 1,
        .embed_scale = 6.928203,
        .attention_scale = 0.25,
        .windows = {6, 6, 6, 6, 6, 0}}},
  };
}

inline std::vector<named_shape> families() {
  std::vector<named_shape> all = gpt_families();
  for (named_shape& one : other_families()) all.push_back(std::move(one));
  return all;
}

}  // namespace depthlens::testing
