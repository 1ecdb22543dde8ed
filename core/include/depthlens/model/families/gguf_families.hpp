// SPDX-License-Identifier: Apache-2.0
// All families that can be computed with from a GGUF file. What the format does not say and llama.cpp knows
// by heart stands here: activations, the order of windows, Gemma's scales, windows of early Phi-3 files.
#pragma once

#include <cmath>
#include <string>
#include <string_view>

#include "depthlens/model/families/gguf_family.hpp"
#include "depthlens/model/families/gguf_tensors.hpp"

namespace depthlens::families {

// Pythia was trained with the exact GELU, GPT-NeoX-20B, the one with 44 blocks, with its tanh form; files do
// not say.
inline void read_gguf_gptneox(const gguf_file& file, architecture& a) {
  const bool parallel = file.find_bool("gptneox.use_parallel_residual").value_or(true);
  a.each_block([&](block_part& b) {
    b.form = parallel ? block_form::parallel : block_form::sequential;
    if (a.n_layers == 44) b.activation = activation_kind::gelu_tanh;
  });
}

// Of both Gemmas the 27B, which files do not name, divides by the width per head instead of the head size.
inline void read_gguf_gemma(const gguf_file& file, architecture& a) {
  const bool second = a.family == "gemma2";
  a.embed_scale = static_cast<double>(std::sqrt(static_cast<float>(a.d_model)));
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

// The first files of Phi-3 mini and medium with 4096 positions do not say that they have a window; later ones
// say 0 where there is none.
inline std::uint32_t gguf_phi3_window(const architecture& a) {
  return (a.n_layers == 32 || a.n_layers == 40) && a.max_positions == 4096 ? 2047 : 0;
}

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
    .local_theta = 10000,
    .windows = windowed::patterned,
    .pattern = 6,
    .more = read_gguf_gemma,
    .tensors = gguf_table(gguf_gemma3_block),
};
inline constexpr gguf_family gguf_gpt2 = {
    .name = "gpt2",
    .norm = norm_kind::layer,
    .activation = activation_kind::gelu_tanh,
    .rotary = false,
    .tensors = gguf_gpt2_tensors,
};
inline constexpr gguf_family gguf_gptneox = {
    .name = "gptneox",
    .keys = "use_parallel_residual",
    .norm = norm_kind::layer,
    .activation = activation_kind::gelu,
    .part_varies = true,
    .more = read_gguf_gptneox,
    .tensors = gguf_gptneox_tensors,
};
// Llama, Mistral, SmolLM and others.
inline constexpr gguf_family gguf_llama = {
    .name = "llama",
    .rope = rope_kind::interleaved,
    .freq_factors = true,
    .tensors = gguf_llama_tensors,
};
inline constexpr gguf_family gguf_olmo2 = {
    .name = "olmo2",
    .tensors = gguf_table(gguf_olmo2_block),
};
inline constexpr gguf_family gguf_phi3 = {
    .name = "phi3",
    .part_varies = true,
    .long_factors = true,
    .windows = windowed::all,
    .window = gguf_phi3_window,
    .tensors = gguf_table(gguf_phi3_block, "rope_factors_long.weight rope_factors_short.weight"),
};
inline constexpr gguf_family gguf_qwen2 = {
    .name = "qwen2",
    .tensors = gguf_table(gguf_qwen2_block),
};
inline constexpr gguf_family gguf_qwen3 = {
    .name = "qwen3",
    .tensors = gguf_table(gguf_qwen3_block),
};

inline constexpr const gguf_family* all_gguf[] = {&gguf_gemma2,  &gguf_gemma3, &gguf_gpt2,
                                                  &gguf_gptneox, &gguf_llama,  &gguf_olmo2,
                                                  &gguf_phi3,    &gguf_qwen2,  &gguf_qwen3};

// Null for a general.architecture that is not here.
inline const gguf_family* find_gguf(std::string_view architecture) noexcept {
  for (const gguf_family* f : all_gguf) {
    if (f->name == architecture) return f;
  }
  return nullptr;
}

// "gemma2, gemma3, ...", for errors.
inline std::string gguf_names() {
  std::string out;
  for (const gguf_family* f : all_gguf) out += (out.empty() ? "" : ", ") + std::string(f->name);
  return out;
}

}  // namespace depthlens::families
