// SPDX-License-Identifier: Apache-2.0
// All families that can be computed with from a Hugging Face folder.
#pragma once

#include <string>
#include <string_view>

#include "depthlens/model/families/alibi.hpp"
#include "depthlens/model/families/deepseek.hpp"
#include "depthlens/model/families/experts.hpp"
#include "depthlens/model/families/gemma.hpp"
#include "depthlens/model/families/gemma4.hpp"
#include "depthlens/model/families/gpt2.hpp"
#include "depthlens/model/families/gpt_neo.hpp"
#include "depthlens/model/families/gpt_neox.hpp"
#include "depthlens/model/families/gpt_oss.hpp"
#include "depthlens/model/families/gptj.hpp"
#include "depthlens/model/families/layer_norms.hpp"
#include "depthlens/model/families/llama.hpp"
#include "depthlens/model/families/olmo.hpp"
#include "depthlens/model/families/opt.hpp"
#include "depthlens/model/families/phi3.hpp"
#include "depthlens/model/families/qwen3_5.hpp"
#include "depthlens/model/families/scaled.hpp"

namespace depthlens::families {

inline constexpr const model_family* all[] = {&bloom,
                                              &cohere,
                                              &deepseek_v2,
                                              &deepseek_v3,
                                              &falcon,
                                              &gemma,
                                              &gemma2,
                                              &gemma3_text,
                                              &gemma4_text,
                                              &gpt2,
                                              &gpt_neo,
                                              &gpt_neox,
                                              &gpt_oss,
                                              &gptj,
                                              &granite,
                                              &llama,
                                              &mistral,
                                              &mixtral,
                                              &olmo,
                                              &olmo2,
                                              &olmo3,
                                              &olmoe,
                                              &opt,
                                              &phi,
                                              &phi3,
                                              &qwen2,
                                              &qwen2_moe,
                                              &qwen3,
                                              &qwen3_5_moe_text,
                                              &qwen3_5_text,
                                              &qwen3_moe,
                                              &smollm3,
                                              &stablelm,
                                              &starcoder2};

// Null for a model_type that is not here.
inline const model_family* find(std::string_view model_type) noexcept {
  for (const model_family* f : all) {
    if (f->name == model_type) return f;
  }
  return nullptr;
}

// "gemma2, gemma3_text, ...", for errors.
inline std::string names() {
  std::string out;
  for (const model_family* f : all) out += (out.empty() ? "" : ", ") + std::string(f->name);
  return out;
}

}  // namespace depthlens::families
