// SPDX-License-Identifier: Apache-2.0
// Where a model has experts, and how many of them a token goes to.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/model/architecture.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace depthlens {

struct expert_layout {
  std::vector<std::uint32_t> blocks;     // (X) those with experts, ascending
  std::vector<std::uint32_t> n_experts;  // (X) E of each
  std::uint32_t n_used = 0;              // U, the largest of theirs

  bool empty() const { return blocks.empty(); }
};

inline expert_layout layout_of_experts(const architecture& a) {
  expert_layout out;
  for (std::uint32_t i = 0; i < a.n_layers; ++i) {
    if (!a.blocks[i].experts) continue;
    out.blocks.push_back(i);
    out.n_experts.push_back(a.blocks[i].experts->n_experts);
    out.n_used = std::max(out.n_used, a.blocks[i].experts->n_used);
  }
  return out;
}

// For --experts. Errors: status::usage where there are none.
inline expert_layout asked_experts(const architecture& a, const std::string& model) {
  expert_layout out = layout_of_experts(a);
  if (out.empty()) fail(status::usage, "--experts: ", model, " has no experts");
  return out;
}

}  // namespace depthlens
