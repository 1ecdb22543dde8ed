// SPDX-License-Identifier: Apache-2.0
// All families that can be computed with from a GGUF file. What the format does not say and llama.cpp knows
// by heart stands in their rows: activations, the order of windows, scales, slopes, how experts are weighed.
#pragma once

#include <string>
#include <string_view>

#include "depthlens/model/families/gguf_deepseek.hpp"
#include "depthlens/model/families/gguf_experts.hpp"
#include "depthlens/model/families/gguf_gemma.hpp"
#include "depthlens/model/families/gguf_gemma4.hpp"
#include "depthlens/model/families/gguf_gpt.hpp"
#include "depthlens/model/families/gguf_llama.hpp"
#include "depthlens/model/families/gguf_qwen35.hpp"

namespace depthlens::families {

inline constexpr const gguf_family* all_gguf[] = {
    &gguf_bloom,     &gguf_cohere2,   &gguf_command_r,  &gguf_deepseek2, &gguf_falcon,   &gguf_gemma1,
    &gguf_gemma2,    &gguf_gemma3,    &gguf_gemma4,     &gguf_gpt_oss,   &gguf_gpt2,     &gguf_gptj,
    &gguf_gptneox,   &gguf_granite,   &gguf_granitemoe, &gguf_llama,     &gguf_olmo,     &gguf_olmo2,
    &gguf_olmoe,     &gguf_phi2,      &gguf_phi3,       &gguf_qwen2,     &gguf_qwen2moe, &gguf_qwen3,
    &gguf_qwen35,    &gguf_qwen35moe, &gguf_qwen3moe,   &gguf_qwen3next, &gguf_smollm3,  &gguf_stablelm,
    &gguf_starcoder2};

// Null for a general.architecture that is not here.
inline const gguf_family* find_gguf(std::string_view architecture) noexcept {
  for (const gguf_family* f : all_gguf) {
    if (f->name == architecture) return f;
  }
  return nullptr;
}

// "bloom, cohere2, ...", for errors.
inline std::string gguf_names() {
  std::string out;
  for (const gguf_family* f : all_gguf) out += (out.empty() ? "" : ", ") + std::string(f->name);
  return out;
}

}  // namespace depthlens::families
