// SPDX-License-Identifier: Apache-2.0
// A two-layer Llama model made in memory, as GGUF and as a Hugging Face folder, with parts that tests change.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "depthlens/error.hpp"
#include "model_bytes.hpp"

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

}  // namespace depthlens::test
