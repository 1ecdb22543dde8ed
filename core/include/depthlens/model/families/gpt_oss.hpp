// SPDX-License-Identifier: Apache-2.0
// gpt-oss: experts with biases and a clamped gate, sinks, windows in every second layer. Its experts are
// published as MXFP4 (paired_blocks.hpp).
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/model/families/experts.hpp"
#include "depthlens/model/families/scaled.hpp"

namespace depthlens::families {

inline constexpr auto pairs = fused_in::gate_up_pairs;
inline constexpr tensor_rule gpt_oss_block[] = {
    {"attn_norm", "input_layernorm", extent::width, extent::one},
    {"q", "self_attn.q_proj", extent::query, extent::width, bias_of::attention},
    {"k", "self_attn.k_proj", extent::key_value, extent::width, bias_of::attention},
    {"v", "self_attn.v_proj", extent::key_value, extent::width, bias_of::attention},
    {"o", "self_attn.o_proj", extent::width, extent::query, bias_of::attention},
    {"sinks", "=self_attn.sinks", extent::heads, extent::one},
    {"ffn_norm", "post_attention_layernorm", extent::width, extent::one},
    {"router", "mlp.router", extent::experts, extent::width, bias_of::always},
    {"expert.#.gate", "=mlp.experts.gate_up_proj", extent::expert_feed_forward, extent::width, plain, true,
     pairs, 0},
    {"expert.#.up", "=mlp.experts.gate_up_proj", extent::expert_feed_forward, extent::width, plain, true,
     pairs, 1},
    {"expert.#.down", "=mlp.experts.down_proj", extent::width, extent::expert_feed_forward, plain, true},
    {"expert.#.gate.bias", "=mlp.experts.gate_up_proj_bias", extent::expert_feed_forward, extent::one, plain,
     false, pairs, 0},
    {"expert.#.up.bias", "=mlp.experts.gate_up_proj_bias", extent::expert_feed_forward, extent::one, plain,
     false, pairs, 1},
    {"expert.#.down.bias", "=mlp.experts.down_proj_bias", extent::width, extent::one},
};

inline void read_gpt_oss(const json_view& config, architecture& a) {
  const expert_part experts{.n_experts = expert_number(config, "num_local_experts", "num_experts", 128),
                            .n_used = expert_width(config, "num_experts_per_tok", 4),
                            .d_ff = a.blocks[0].d_ff,
                            .router = router_kind::chosen_softmax};
  const double alpha = positive(config, "swiglu_alpha", 1.702), limit = positive(config, "swiglu_limit", 7);
  a.each_block([&](block_part& b) {
    b.experts = experts;
    b.d_ff = 0;
    b.activation = activation_kind::clamped;
    b.activation_alpha = alpha;
    b.activation_limit = limit;
  });
}

inline constexpr model_family gpt_oss = {
    .name = "gpt_oss",
    .kv_heads = {"num_key_value_heads", 8},
    .head_dim = {"head_dim", 64},
    .positions = {"max_position_embeddings", 131072},
    .eps = 1e-5,
    .keys =
        "attention_bias experts_per_token num_experts num_experts_per_tok num_local_experts "
        "quantization_config swiglu_alpha swiglu_limit",
    .harmless = "initial_context_length output_router_logits router_aux_loss_coef",
    .attention_bias = true,
    .rope = {.used = true, .theta = 150000, .yarn = 32, .yarn_positions = 4096},
    .windows = windowed::patterned,
    .window = 128,
    .pattern = 2,
    .more = read_gpt_oss,
    .tensors = {model_prefix, "layers.", llama_outside, gpt_oss_block, llama_final_norm, llama_head,
                rotary_tables},
};

}  // namespace depthlens::families
