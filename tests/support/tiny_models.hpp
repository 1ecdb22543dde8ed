// SPDX-License-Identifier: Apache-2.0
// Models made in memory: a two-layer Llama as GGUF and as a Hugging Face folder, with parts that tests
// change, and a one-layer model of each other family.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "depthlens/base/error.hpp"
#include "support/model_bytes.hpp"

namespace depthlens::test {

// D 8, H 2 (kv 1) of size 4, F 12, V 10, 2 layers.
inline constexpr std::string_view tiny_config =
    R"("model_type":"llama","hidden_size":8,"num_hidden_layers":2,"num_attention_heads":2,)"
    R"("num_key_value_heads":1,"intermediate_size":12,"vocab_size":10,"max_position_embeddings":64,)"
    R"("rms_norm_eps":1e-5)";

// config.json with further members: tiny_config_with("\"rope_theta\":5").
inline std::string tiny_config_with(std::string_view more = "") {
  return cat("{", tiny_config, more.empty() ? "" : ",", more, "}");
}

struct named_shape {
  std::string name;
  std::vector<std::uint64_t> shape;  // row-major
};

inline std::vector<named_shape> tiny_folder_tensors() {
  std::vector<named_shape> out = {{"model.embed_tokens.weight", {10, 8}}, {"model.norm.weight", {8}}};
  for (int i = 0; i < 2; ++i) {
    const std::string p = cat("model.layers.", i, ".");
    for (named_shape t : std::vector<named_shape>{{"input_layernorm.weight", {8}},
                                                  {"self_attn.q_proj.weight", {8, 8}},
                                                  {"self_attn.k_proj.weight", {4, 8}},
                                                  {"self_attn.v_proj.weight", {4, 8}},
                                                  {"self_attn.o_proj.weight", {8, 8}},
                                                  {"post_attention_layernorm.weight", {8}},
                                                  {"mlp.gate_proj.weight", {12, 8}},
                                                  {"mlp.up_proj.weight", {12, 8}},
                                                  {"mlp.down_proj.weight", {8, 12}}}) {
      out.push_back({p + t.name, std::move(t.shape)});
    }
  }
  return out;
}

// F32 tensors whose bytes are all `fill`.
inline std::string safetensors_text(const std::vector<named_shape>& tensors, char fill = 0) {
  std::string header = "{";
  std::uint64_t end = 0;
  for (const named_shape& t : tensors) {
    std::uint64_t bytes = 4;
    header += cat(end > 0 ? "," : "", "\"", t.name, R"(":{"dtype":"F32","shape":[)");
    for (std::size_t i = 0; i < t.shape.size(); ++i) {
      header += cat(i > 0 ? "," : "", t.shape[i]);
      bytes *= t.shape[i];
    }
    header += cat("],\"data_offsets\":[", end, ",", end + bytes, "]}");
    end += bytes;
  }
  byte_writer out;
  out.string(header + "}");
  return std::string(text_of(out)) + std::string(end, fill);
}

inline gguf_parts tiny_gguf_metadata() {
  gguf_parts p;
  p.text("general.architecture", "llama");
  p.u32("llama.embedding_length", 8).u32("llama.block_count", 2).u32("llama.attention.head_count", 2);
  p.u32("llama.attention.head_count_kv", 1)
      .u32("llama.feed_forward_length", 12)
      .u32("llama.context_length", 64);
  p.f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  return p;
}

// Adds the tensors; dimensions as the file has them, the contiguous one first.
inline gguf_parts& add_tiny_tensors(gguf_parts& p) {
  p.tensor("token_embd.weight", {8, 10});
  for (int i = 0; i < 2; ++i) {
    const std::string b = cat("blk.", i, ".");
    p.tensor(b + "attn_norm.weight", {8})
        .tensor(b + "attn_q.weight", {8, 8})
        .tensor(b + "attn_k.weight", {8, 4});
    p.tensor(b + "attn_v.weight", {8, 4})
        .tensor(b + "attn_output.weight", {8, 8})
        .tensor(b + "ffn_norm.weight", {8});
    p.tensor(b + "ffn_gate.weight", {8, 12}).tensor(b + "ffn_up.weight", {8, 12});
    p.tensor(b + "ffn_down.weight", {12, 8});
  }
  return p.tensor("output_norm.weight", {8});
}

// One layer, D 8, V 10, H 2 of size 4 (6 in Qwen 3).
struct family_model {
  std::string name;
  std::string keys;  // of config.json
  std::vector<named_shape> tensors;

  // A key of `more` takes the place of the same one here.
  std::string config(std::string_view more = "") const {
    std::string out = cat("{\"model_type\":\"", name, "\"");
    for (std::size_t at = 0; at < keys.size();) {
      const std::size_t end = std::min(keys.find(' ', at), keys.size());
      const std::string item = keys.substr(at, end - at);
      if (more.find(item.substr(0, item.find(':') + 1)) == std::string_view::npos) out += "," + item;
      at = end + 1;
    }
    return cat(out, more.empty() ? "" : ",", more, "}");
  }
};

// Of each name, its .weight and, for names that begin with '+', its .bias of as many values as outputs.
inline std::vector<named_shape> with_biases(const std::vector<named_shape>& from, bool transposed = false) {
  std::vector<named_shape> out;
  for (const named_shape& t : from) {
    const bool bias = t.name.front() == '+';
    const std::string name = t.name.substr(bias ? 1 : 0);
    const bool embedding = name.ends_with("wpe") || name.ends_with("wte");
    const std::vector<std::uint64_t> reversed(t.shape.rbegin(), t.shape.rend());
    out.push_back({name + ".weight", transposed && !embedding ? reversed : t.shape});
    if (bias) out.push_back({name + ".bias", {t.shape.front()}});
  }
  return out;
}

inline constexpr std::string_view folder_keys =
    R"("hidden_size":8 "num_hidden_layers":1 "num_attention_heads":2 "vocab_size":10 )"
    R"("max_position_embeddings":16 "intermediate_size":12)";
inline constexpr std::string_view gpt_keys =
    R"("n_embd":8 "n_layer":1 "n_head":2 "vocab_size":10 "n_positions":16)";

inline family_model gpt2_model() {
  const std::string b = "transformer.h.0.";
  return {"gpt2", std::string(gpt_keys),
          with_biases({{"transformer.wte", {10, 8}},
                       {"transformer.wpe", {16, 8}},
                       {"+transformer.ln_f", {8}},
                       {"+" + b + "ln_1", {8}},
                       {"+" + b + "attn.c_attn", {24, 8}},
                       {"+" + b + "attn.c_proj", {8, 8}},
                       {"+" + b + "ln_2", {8}},
                       {"+" + b + "mlp.c_fc", {32, 8}},
                       {"+" + b + "mlp.c_proj", {8, 32}}},
                      true)};
}

inline family_model gpt_neox_model() {
  const std::string b = "+gpt_neox.layers.0.";
  return {"gpt_neox", cat(folder_keys, R"( "rotary_pct":0.5)"),
          with_biases({{"gpt_neox.embed_in", {10, 8}},
                       {"embed_out", {10, 8}},
                       {"+gpt_neox.final_layer_norm", {8}},
                       {b + "input_layernorm", {8}},
                       {b + "post_attention_layernorm", {8}},
                       {b + "attention.query_key_value", {24, 8}},
                       {b + "attention.dense", {8, 8}},
                       {b + "mlp.dense_h_to_4h", {12, 8}},
                       {b + "mlp.dense_4h_to_h", {8, 12}}})};
}

inline family_model gptj_model() {
  const std::string b = "transformer.h.0.";
  return {"gptj", cat(gpt_keys, R"( "rotary_dim":2)"),
          with_biases({{"transformer.wte", {10, 8}},
                       {"+lm_head", {10, 8}},
                       {"+transformer.ln_f", {8}},
                       {"+" + b + "ln_1", {8}},
                       {b + "attn.q_proj", {8, 8}},
                       {b + "attn.k_proj", {8, 8}},
                       {b + "attn.v_proj", {8, 8}},
                       {b + "attn.out_proj", {8, 8}},
                       {"+" + b + "mlp.fc_in", {32, 8}},
                       {"+" + b + "mlp.fc_out", {8, 32}}})};
}

inline family_model opt_model() {
  const std::string m = "model.decoder.", b = "+model.decoder.layers.0.";
  return {"opt", cat(folder_keys.substr(0, folder_keys.rfind(' ')), R"( "ffn_dim":12)"),
          with_biases({{m + "embed_tokens", {10, 8}},
                       {m + "embed_positions", {18, 8}},
                       {"+" + m + "final_layer_norm", {8}},
                       {b + "self_attn_layer_norm", {8}},
                       {b + "self_attn.q_proj", {8, 8}},
                       {b + "self_attn.k_proj", {8, 8}},
                       {b + "self_attn.v_proj", {8, 8}},
                       {b + "self_attn.out_proj", {8, 8}},
                       {b + "final_layer_norm", {8}},
                       {b + "fc1", {12, 8}},
                       {b + "fc2", {8, 12}}})};
}

// What Llama's descendants share: the embedding, the last norm, o and the MLP; q outputs `q`.
inline std::vector<named_shape> llama_like(bool head, std::uint64_t q, std::vector<named_shape> own) {
  std::vector<named_shape> all{{"model.embed_tokens", {10, 8}}, {"model.norm", {8}}};
  if (head) all.push_back({"lm_head", {10, 8}});
  own.push_back({"self_attn.o_proj", {8, q}});
  own.push_back({"mlp.down_proj", {8, 12}});
  for (named_shape& t : own) {
    const bool bias = t.name.front() == '+';
    all.push_back({cat(bias ? "+" : "", "model.layers.0.", t.name.substr(bias ? 1 : 0)), std::move(t.shape)});
  }
  return with_biases(all);
}

inline std::string with_one_kv_head(std::string_view more = "") {
  return cat(folder_keys, R"( "num_key_value_heads":1)", more);
}

inline family_model qwen2_model() {
  return {"qwen2", with_one_kv_head(),
          llama_like(true, 8,
                     {{"input_layernorm", {8}},
                      {"post_attention_layernorm", {8}},
                      {"+self_attn.q_proj", {8, 8}},
                      {"+self_attn.k_proj", {4, 8}},
                      {"+self_attn.v_proj", {4, 8}},
                      {"mlp.gate_proj", {12, 8}},
                      {"mlp.up_proj", {12, 8}}})};
}

inline family_model qwen3_model() {
  return {"qwen3", with_one_kv_head(R"( "head_dim":6)"),
          llama_like(true, 12,
                     {{"input_layernorm", {8}},
                      {"post_attention_layernorm", {8}},
                      {"self_attn.q_proj", {12, 8}},
                      {"self_attn.k_proj", {6, 8}},
                      {"self_attn.v_proj", {6, 8}},
                      {"self_attn.q_norm", {6}},
                      {"self_attn.k_norm", {6}},
                      {"mlp.gate_proj", {12, 8}},
                      {"mlp.up_proj", {12, 8}}})};
}

inline family_model mistral_model() {
  return {"mistral", with_one_kv_head(R"( "sliding_window":3)"),
          llama_like(true, 8,
                     {{"input_layernorm", {8}},
                      {"post_attention_layernorm", {8}},
                      {"self_attn.q_proj", {8, 8}},
                      {"self_attn.k_proj", {4, 8}},
                      {"self_attn.v_proj", {4, 8}},
                      {"mlp.gate_proj", {12, 8}},
                      {"mlp.up_proj", {12, 8}}})};
}

inline family_model phi3_model() {
  return {"phi3", with_one_kv_head(),
          llama_like(true, 8,
                     {{"input_layernorm", {8}},
                      {"post_attention_layernorm", {8}},
                      {"self_attn.qkv_proj", {16, 8}},
                      {"mlp.gate_up_proj", {24, 8}}})};
}

inline family_model olmo2_model() {
  return {"olmo2", with_one_kv_head(),
          llama_like(true, 8,
                     {{"post_attention_layernorm", {8}},
                      {"post_feedforward_layernorm", {8}},
                      {"self_attn.q_proj", {8, 8}},
                      {"self_attn.k_proj", {4, 8}},
                      {"self_attn.v_proj", {4, 8}},
                      {"self_attn.q_norm", {8}},
                      {"self_attn.k_norm", {4}},
                      {"mlp.gate_proj", {12, 8}},
                      {"mlp.up_proj", {12, 8}}})};
}

inline std::vector<named_shape> gemma_block() {
  return {{"input_layernorm", {8}},
          {"post_attention_layernorm", {8}},
          {"pre_feedforward_layernorm", {8}},
          {"post_feedforward_layernorm", {8}},
          {"self_attn.q_proj", {8, 8}},
          {"self_attn.k_proj", {4, 8}},
          {"self_attn.v_proj", {4, 8}},
          {"mlp.gate_proj", {12, 8}},
          {"mlp.up_proj", {12, 8}}};
}
inline constexpr std::string_view gemma_keys =
    R"( "head_dim":4 "query_pre_attn_scalar":16 "sliding_window":3)";

inline family_model gemma2_model() {
  return {"gemma2", with_one_kv_head(gemma_keys), llama_like(false, 8, gemma_block())};
}

inline family_model gemma3_model() {
  std::vector<named_shape> block = gemma_block();
  block.push_back({"self_attn.q_norm", {4}});
  block.push_back({"self_attn.k_norm", {4}});
  return {"gemma3_text", with_one_kv_head(gemma_keys), llama_like(false, 8, std::move(block))};
}

inline std::vector<family_model> family_models() {
  return {gpt2_model(),    gpt_neox_model(), gptj_model(),  opt_model(),    qwen2_model(), qwen3_model(),
          mistral_model(), phi3_model(),     olmo2_model(), gemma2_model(), gemma3_model()};
}

}  // namespace depthlens::test
