// SPDX-License-Identifier: Apache-2.0
// How many parameters a forward pass uses.
#pragma once

#include "depthlens/model/model_files.hpp"

#include <algorithm>

namespace depthlens {

// Of the experts of a block, how many a token uses. name: of one of their tensors.
inline double share_of_experts(const architecture& a, const std::string& name) {
  const expert_part& e = *a.blocks[std::stoul(name.substr(6))].experts;  // behind "block."
  return static_cast<double>(e.n_used) / e.n_experts;
}

namespace detail {

// share(name): of a tensor, how much of it counts.
template <class Share>
double count_parameters(const model_files& model, const Share& share) {
  double parameters = 0;
  for (const tensor_view& t : model.tensors()) {
    if (t.name == "embed" || t.name == "unembed" || t.name == "layer_embed") continue;
    double n = share(t.name);
    for (const std::uint64_t d : t.shape) n *= static_cast<double>(d);
    parameters += n;
  }
  return parameters;
}

}  // namespace detail

// Parameters of the blocks, each used once for a token, of experts those that it uses.
inline double block_parameters(const model_files& model) {
  return detail::count_parameters(model, [&](const std::string& name) {
    return name.find(".expert.") == std::string::npos ? 1 : share_of_experts(model.arch(), name);
  });
}

// All of the blocks' parameters.
inline double held_parameters(const model_files& model) {
  return detail::count_parameters(model, [](const std::string&) { return 1.0; });
}

// Parameters of the unembedding, each used once for a layer that is read.
inline double unembed_parameters(const model_files& model) {
  const architecture& a = model.arch();
  return static_cast<double>(a.vocab_size) * a.embed_dim;
}

// What reading a layer costs, in tokens.
inline double row_weight(const model_files& model) {
  return unembed_parameters(model) / std::max(block_parameters(model), 1.0);
}

}  // namespace depthlens
