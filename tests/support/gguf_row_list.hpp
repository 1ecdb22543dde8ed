// SPDX-License-Identifier: Apache-2.0
// Made-up files of GGUF's families with parts of their own, as gguf_rows.hpp spells them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "depthlens/base/error.hpp"
#include "support/gguf_rows.hpp"

namespace depthlens::test {

inline const std::string rms = "attention.layer_norm_rms_epsilon=1e-5 attention.head_count_kv=1 ";
inline const std::string layer = "attention.layer_norm_epsilon=1e-5 attention.head_count_kv=1 ";
inline const std::string dense = "feed_forward_length=12 ";
inline const std::string expert = "expert_count=3 expert_used_count=2 expert_feed_forward_length=12 ";
inline const std::string qkv = "attn_q:8x8 attn_k:4x8 attn_v:4x8 attn_output:8x8 ";
inline const std::string biased = "+attn_q:8x8 +attn_k:4x8 +attn_v:4x8 ";
inline const std::string norms = "attn_norm:8 ffn_norm:8 ";
inline const std::string mlp = "ffn_gate:12x8 ffn_up:12x8 ffn_down:8x12 ";
inline const std::string exps =
    "ffn_gate_inp:3x8 ffn_gate_exps:3x12x8 ffn_up_exps:3x12x8 ffn_down_exps:3x8x12 ";
inline const std::string shared = "ffn_gate_shexp:5x8 ffn_up_shexp:5x8 ffn_down_shexp:8x5 ";

// Norms and outside of families with layer norms, whose last one is not within a block.
inline gguf_row layer_row(std::string name, std::string keys, std::string tensors, std::string more = "") {
  return {std::move(name), layer + dense + std::move(keys), std::move(tensors), 1,
          "^token_embd:10x8 ^output_norm:8 ^output:10x8 " + std::move(more)};
}

inline const std::string gated =
    "1.attn_norm:8 1.attn_q:16x8 1.attn_k:4x8 1.attn_v:4x8 1.attn_output:8x8 1.attn_q_norm:4 1.attn_k_norm:4 "
    "1.post_attention_norm:8 ";
// Two key heads and four value heads of size 2.
inline const std::string rule =
    "0.attn_norm:8 0.attn_qkv:16x8 0.attn_gate:8x8 0.ssm_conv1d:16x3 0.=ssm_a:4 0.=ssm_dt.bias:4 "
    "0.ssm_norm:2 "
    "0.ssm_out:8x8 0.post_attention_norm:8 ";
inline const std::string delta =
    "ssm.group_count=2 ssm.time_step_rank=4 ssm.state_size=2 ssm.inner_size=8 ssm.conv_kernel=3 "
    "full_attention_interval=2 rope.dimension_count=2 ";
inline const std::string alpha_beta = "0.ssm_alpha:4x8 0.ssm_beta:4x8 ";

inline const std::string latent =
    "attention.layer_norm_rms_epsilon=1e-5 attention.head_count_kv=1 attention.kv_lora_rank=6 "
    "rope.dimension_count=2 attention.key_length=8 attention.value_length=6 attention.key_length_mla=4 "
    "attention.value_length_mla=3 ";
inline const std::string latent_mixer = "attn_kv_a_mqa:8x8 attn_kv_a_norm:6 attn_output:8x6 ";

inline const std::string gemma4_keys =
    "attention.layer_norm_rms_epsilon=1e-5 attention.head_count_kv=1;2;1 attention.key_length=6 "
    "attention.value_length=6 attention.key_length_swa=4 attention.value_length_swa=4 "
    "attention.sliding_window=3 attention.sliding_window_pattern=1,0,1 attention.shared_kv_layers=1 "
    "embedding_length_per_layer_input=2 feed_forward_length=12;12;24 final_logit_softcapping=5.0 ";
inline const std::string gemma4_tensors =
    "attn_norm:8 ffn_norm:8 post_attention_norm:8 post_ffw_norm:8 layer_output_scale:1 inp_gate:2x8 proj:8x2 "
    "post_norm:8 0.attn_q:8x8 0.attn_k:4x8 0.attn_v:4x8 0.attn_output:8x8 0.attn_q_norm:4 0.attn_k_norm:4 "
    "1.attn_q:12x8 1.attn_k:12x8 1.attn_output:8x12 1.attn_q_norm:6 1.attn_k_norm:6 2.attn_q:8x8 "
    "2.attn_output:8x8 2.attn_q_norm:4 0.ffn_gate:12x8 0.ffn_up:12x8 0.ffn_down:8x12 1.ffn_gate:12x8 "
    "1.ffn_up:12x8 1.ffn_down:8x12 2.ffn_gate:24x8 2.ffn_up:24x8 2.ffn_down:8x24 ";
inline const std::string gemma4_outside =
    "^token_embd:10x8 ^output_norm:8 ^per_layer_token_embd:10x6 ^per_layer_model_proj:6x8 "
    "^per_layer_proj_norm:2 ^rope_freqs:3 ";

inline gguf_row gemma4() { return {"gemma4", gemma4_keys, gemma4_tensors, 3, gemma4_outside}; }
inline gguf_row mixtral() { return {"llama", rms + dense + expert, norms + qkv + exps}; }
inline gguf_row deepseek() {
  return {"deepseek2",
          latent + dense + expert +
              "leading_dense_block_count=1 expert_shared_count=1 expert_gating_func=2 "
              "expert_group_count=3 expert_group_used_count=2 ",
          norms + latent_mixer +
              "attn_q:8x8 attn_k_b:2x6x2 attn_v_b:2x3x6 0.ffn_gate:12x8 0.ffn_up:12x8 "
              "0.ffn_down:8x12 1.ffn_gate_inp:3x8 1.ffn_gate_exps:3x12x8 "
              "1.ffn_up_exps:3x12x8 1.ffn_down_exps:3x8x12 1.ffn_gate_shexp:12x8 "
              "1.ffn_up_shexp:12x8 1.ffn_down_shexp:8x12 1.=exp_probs_b.bias:3 ",
          2};
}
inline gguf_row qwen35() {
  return {"qwen35", rms + dense + delta + "rope.dimension_sections=1;1;1;0 ", gated + rule + alpha_beta + mlp,
          2};
}

inline std::vector<gguf_row> rows() {
  std::vector<gguf_row> out{
      {"olmo", layer + dense + "attention.clamp_kqv=2.5 ", qkv + mlp, 1, "^token_embd:10x8 ^output:10x8"},
      {"olmo2", rms + dense + "attention.sliding_window=3 ",
       qkv + mlp + "attn_q_norm:8 attn_k_norm:4 post_attention_norm:8 post_ffw_norm:8"},
      {"gemma", rms + dense, norms + qkv + mlp, 1, "^token_embd:10x8 ^output_norm:8"},
      mixtral(),
      {"qwen2moe", rms + expert + "expert_shared_feed_forward_length=5 ",
       norms + biased + "attn_output:8x8 " + exps + shared + "ffn_gate_inp_shexp:1x8 "},
      {"qwen3moe", rms + expert, norms + qkv + "attn_q_norm:4 attn_k_norm:4 " + exps},
      {"olmoe", rms + "feed_forward_length=12 expert_count=3 expert_used_count=2 ",
       norms + qkv + "attn_q_norm:8 attn_k_norm:4 " + exps},
      {"gpt-oss", rms + expert,
       "attn_norm:8 post_attention_norm:8 attn_sinks:2 +attn_output:8x8 " + biased + exps +
           "=ffn_gate_inp.bias:3 =ffn_gate_exps.bias:3x12 =ffn_up_exps.bias:3x12 =ffn_down_exps.bias:3x8 "},
      {"granite", rms + dense + "attention.scale=0.2 embedding_scale=3.0 residual_scale=0.5 logit_scale=4.0 ",
       norms + qkv + mlp},
      {"granitemoe", rms + dense + expert + "logit_scale=4.0 expert_shared_feed_forward_length=5 ",
       norms + qkv + exps + shared},
      {"smollm3", rms + dense, norms + qkv + mlp, 4},
      {"command-r", layer + dense + "logit_scale=0.25 ",
       "attn_norm:8 " + qkv + mlp + "attn_q_norm:2x4 attn_k_norm:1x4 ", 1, "^token_embd:10x8 ^output_norm:8"},
      {"cohere2", layer + dense + "logit_scale=0.25 attention.sliding_window=3 ", "attn_norm:8 " + qkv + mlp,
       4, "^token_embd:10x8 ^output_norm:8"},
      deepseek(),
      qwen35(),
      {"qwen35moe", rms + expert + delta + "expert_shared_feed_forward_length=5 ",
       gated + rule + alpha_beta + exps + shared + "ffn_gate_inp_shexp:8 ", 2},
      {"qwen3next", rms + expert + delta + "expert_shared_feed_forward_length=5 ",
       gated + rule + "0.ssm_ba:8x8 " + exps + shared + "ffn_gate_inp_shexp:1x8 ", 2},
      gemma4()};
  return out;
}

inline gguf_row row_of(std::string_view architecture) {
  for (const gguf_row& row : rows())
    if (row.architecture == architecture) return row;
  fail(status::internal, "there is no row of ", architecture);
}

}  // namespace depthlens::test
