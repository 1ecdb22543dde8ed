// SPDX-License-Identifier: Apache-2.0
// Gemma 1 to 3 in GGUF. Files have 1 added to the weights of norms, and do not hold Gemma's scales.
#pragma once

#include <cmath>
#include <string>

#include "depthlens/model/families/gguf_family.hpp"
#include "depthlens/model/families/gguf_tensors.hpp"

namespace depthlens::families {

inline double gguf_gemma_embed_scale(const architecture& a) {
  return static_cast<double>(std::sqrt(static_cast<float>(a.d_model)));
}
inline void read_gguf_gemma1(const gguf_file&, architecture& a) { a.embed_scale = gguf_gemma_embed_scale(a); }

// Of both Gemmas the 27B, which files do not name, divides by the width per head instead of the head size.
inline void read_gguf_gemma(const gguf_file& file, architecture& a) {
  const bool second = a.family == "gemma2";
  a.embed_scale = gguf_gemma_embed_scale(a);
  const double cap = second ? file.find_float("gemma2.attn_logit_softcapping").value_or(50.0) : 0.0;
  a.each_block([&](block_part& b) {
    attention_part& t = *b.attention;
    if (a.n_layers == (second ? 46u : 62u))
      t.scale = 1 / std::sqrt(static_cast<double>(a.d_model / t.n_heads));
    t.softcap = cap;
  });
  a.final_softcap = file.find_float(a.family + ".final_logit_softcapping").value_or(second ? 30.0 : 0.0);
}
inline std::uint32_t gguf_gemma2_window(const architecture&) { return 4096; }

inline constexpr auto gguf_gemma1_block =
    joined(gguf_attn_norm, gguf_plain_attention, gguf_ffn_norm, gguf_gated_mlp);
inline constexpr auto gguf_gemma2_block = joined(gguf_gemma1_block, gguf_post_norms);
inline constexpr auto gguf_gemma3_block = joined(gguf_gemma2_block, gguf_head_norms);

inline constexpr gguf_family gguf_gemma1 = {
    .name = "gemma",
    .activation = activation_kind::gelu_tanh,
    .more = read_gguf_gemma1,
    .tensors = gguf_table(gguf_gemma1_block),
};
inline constexpr gguf_family gguf_gemma2 = {
    .name = "gemma2",
    .keys = "attn_logit_softcapping final_logit_softcapping",
    .activation = activation_kind::gelu_tanh,
    .windows = windowed::patterned,
    .window = gguf_gemma2_window,
    .pattern = 2,
    .more = read_gguf_gemma,
    .tensors = gguf_table(gguf_gemma2_block),
};
inline constexpr gguf_family gguf_gemma3 = {
    .name = "gemma3",
    .keys = "final_logit_softcapping rope.freq_base_swa",
    .activation = activation_kind::gelu_tanh,
    .local = true,
    .local_theta = 10000,
    .windows = windowed::patterned,
    .pattern = 6,
    .more = read_gguf_gemma,
    .tensors = gguf_table(gguf_gemma3_block),
};

}  // namespace depthlens::families
