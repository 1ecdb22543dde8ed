// SPDX-License-Identifier: Apache-2.0
// Gemma 4 in GGUF: heads by kind of layer, keys and values that the last layers share, inputs of each layer,
// experts beside the dense part. rope_freqs.weight turns off frequencies of layers that see all.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/model/families/gguf_experts.hpp"
#include "depthlens/model/families/gguf_gemma.hpp"
#include "depthlens/model/gguf_sizes.hpp"

namespace depthlens::families {

inline constexpr auto in_own_kv = only_in::own_kv;
inline constexpr auto in_inputs = only_in::layer_inputs;
inline constexpr tensor_rule gguf_gemma4_outside[] = {
    {"embed", "token_embd", extent::vocabulary, extent::width},
    in_blocks(in_inputs,
              {"layer_embed", "per_layer_token_embd", extent::layer_vocabulary, extent::layer_inputs}),
    in_blocks(in_inputs, {"layer_projection", "per_layer_model_proj", extent::layer_inputs, extent::width}),
    in_blocks(in_inputs, {"layer_embed_norm", "per_layer_proj_norm", extent::layer_input, extent::one}),
};
inline constexpr tensor_rule gguf_gemma4_mixer[] = {
    {"q", "attn_q", extent::query, extent::width},
    in_blocks(in_own_kv, {"k", "attn_k", extent::key_value, extent::width}),
    with("attn_v", in_blocks(in_own_kv, {"v", "attn_v", extent::key_value, extent::width})),
    without("attn_v", in_blocks(in_own_kv, {"v", "attn_k", extent::key_value, extent::width})),
    {"o", "attn_output", extent::width, extent::mixed},
    {"q_norm", "attn_q_norm", extent::head, extent::one},
    in_blocks(in_own_kv, {"k_norm", "attn_k_norm", extent::head, extent::one}),
    in_blocks(in_own_kv, ones("v_norm", extent::value)),
    where_stored(
        made_as(made::output_scale, {"output scale", "layer_output_scale", extent::one, extent::one})),
};
inline constexpr tensor_rule gguf_gemma4_experts[] = {
    in_blocks(in_experts, {"dense_post_norm", "post_ffw_norm_1", extent::width, extent::one}),
    in_blocks(in_experts,
              made_as(made::root_scaled, {"router_norm", "=ffn_gate_inp.scale", extent::width, extent::one})),
    in_blocks(in_experts, {"expert_scale", "=ffn_down_exps.scale", extent::experts, extent::one}),
    in_blocks(in_experts, {"expert_norm", "pre_ffw_norm_2", extent::width, extent::one}),
    in_blocks(in_experts, {"expert_post_norm", "post_ffw_norm_2", extent::width, extent::one}),
};
inline constexpr tensor_rule gguf_gemma4_inputs[] = {
    in_blocks(in_inputs, {"layer_gate", "inp_gate", extent::layer_input, extent::width}),
    in_blocks(in_inputs, {"layer_out", "proj", extent::width, extent::layer_input}),
    in_blocks(in_inputs, {"layer_post_norm", "post_norm", extent::width, extent::one}),
};
inline constexpr auto gguf_gemma4_block =
    joined(gguf_attn_norm, gguf_gemma4_mixer, gguf_ffn_norm, gguf_gated_mlp, gguf_post_norms,
           gguf_expert_rules, gguf_gemma4_experts, gguf_gemma4_inputs);

// Has each layer a window? The pattern is a list in this family.
inline std::vector<bool> gguf_gemma4_windows(const gguf_file& file, const architecture& a) {
  const std::string key = a.family + ".attention.sliding_window_pattern";
  const auto out = file.find_bools(key);
  if (!out) fail(status::data, file.path(), ": metadata key ", key, " is missing");
  if (out->size() != a.n_layers)
    fail(status::data, file.path(), ": ", key, " has ", out->size(), " layers, expected ", a.n_layers);
  return *out;
}

inline void share_gguf_gemma4_kv(const gguf_file& file, const std::vector<bool>& windows, architecture& a) {
  const std::string key = a.family + ".attention.shared_kv_layers";
  const std::uint32_t shared = file.find_u32(key).value_or(0);
  if (shared >= a.n_layers)
    fail(status::data, file.path(), ": ", key, " is ", shared, ", expected less than ", a.n_layers);
  for (std::uint32_t i = a.n_layers - shared; i < a.n_layers; ++i) {
    std::uint32_t from = a.n_layers - shared;
    while (from > 0 && windows[from - 1] != windows[i]) --from;
    if (from == 0)
      fail(status::data, file.path(), ": no layer before the ", shared, " of ", key,
           " has keys and values of each kind");
    a.blocks[i].attention->kv_layer = from - 1;
  }
}

inline void read_gguf_gemma4_inputs(const gguf_file& file, architecture& a) {
  const std::uint32_t dim = file.find_u32(a.family + ".embedding_length_per_layer_input").value_or(0);
  if (dim == 0) return;
  const gguf_tensor* const embed = file.find_tensor("per_layer_token_embd.weight");
  if (embed == nullptr || embed->view.shape.size() != 2)
    fail(status::data, file.path(), ": tensor 'per_layer_token_embd.weight' is missing or no matrix");
  a.layer_inputs = {.dim = dim,
                    .vocab_size = static_cast<std::uint32_t>(embed->view.shape[0]),
                    .embed_scale = static_cast<double>(std::sqrt(static_cast<float>(dim))),
                    .projection_scale = 1 / std::sqrt(static_cast<double>(a.d_model)),
                    .sum_scale = 1 / std::sqrt(2.0)};
}

inline void read_gguf_gemma4(const gguf_file& file, architecture& a) {
  const std::string prefix = a.family + ".";
  a.embed_scale = gguf_gemma_embed_scale(a);
  a.final_softcap = file.find_float(prefix + "final_logit_softcapping").value_or(0.0);
  const std::vector<bool> windows = gguf_gemma4_windows(file, a);
  const auto kv = depthlens::detail::gguf_by_layer(file, prefix + "attention.head_count_kv", a.n_layers);
  const auto dense = depthlens::detail::gguf_by_layer(file, prefix + "feed_forward_length", a.n_layers);
  const std::uint32_t full = a.blocks[0].attention->head_dim;
  const std::uint32_t local = file.find_u32(prefix + "attention.key_length_swa").value_or(full);
  if (file.find_u32(prefix + "attention.value_length_swa").value_or(local) != local)
    fail(status::data, file.path(), ": values and keys of different head sizes are not supported");
  for (std::uint32_t i = 0; i < a.n_layers; ++i) {
    attention_part& t = *a.blocks[i].attention;
    t.head_dim = t.value_dim = windows[i] ? local : full;
    t.scale = 1;
    if (!kv.empty()) t.n_kv_heads = kv[i];
    if (!dense.empty()) a.blocks[i].d_ff = dense[i];
  }
  share_gguf_gemma4_kv(file, windows, a);
  read_gguf_gemma4_inputs(file, a);
  if (file.find_u32(prefix + "expert_count").value_or(0) == 0) return;
  expert_part e = read_gguf_experts(file, a);
  e.normalised = true;
  a.each_block([&](block_part& b) { b.experts = e; });
}

inline constexpr gguf_family gguf_gemma4 = {
    .name = "gemma4",
    .keys =
        "attention.key_length_swa attention.shared_kv_layers attention.value_length_swa "
        "embedding_length_per_layer_input expert_count expert_feed_forward_length expert_used_count "
        "final_logit_softcapping rope.dimension_count_swa rope.freq_base_swa",
    .activation = activation_kind::gelu_tanh,
    .freq_factors = true,
    .local = true,
    .local_theta = 10000,
    .windows = windowed::patterned,
    .lists = true,
    .more = read_gguf_gemma4,
    .tensors = {gguf_prefix, "blk.", gguf_gemma4_outside, gguf_gemma4_block, gguf_final_norm, gguf_head, "",
                "rope_freqs.weight"},
};

}  // namespace depthlens::families
