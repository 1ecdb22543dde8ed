// SPDX-License-Identifier: Apache-2.0
// All families that can be computed with from a Hugging Face folder.
#pragma once

#include <string>
#include <string_view>

#include "depthlens/model/families/gemma.hpp"
#include "depthlens/model/families/gpt2.hpp"
#include "depthlens/model/families/gpt_neox.hpp"
#include "depthlens/model/families/gptj.hpp"
#include "depthlens/model/families/llama.hpp"
#include "depthlens/model/families/olmo2.hpp"
#include "depthlens/model/families/opt.hpp"
#include "depthlens/model/families/phi3.hpp"

namespace depthlens::families {

inline constexpr const model_family* all[] = {&gemma2,  &gemma3_text, &gpt2, &gpt_neox, &gptj,  &llama,
                                              &mistral, &olmo2,       &opt,  &phi3,     &qwen2, &qwen3};

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
