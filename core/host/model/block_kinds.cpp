// SPDX-License-Identifier: Apache-2.0
#include "model/block_kinds.hpp"

#include "depthlens/base/abi_error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/model/model_ops.hpp"

#include <charconv>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace depthlens {
namespace {

// What the tensors of a block are called behind "block.LAYER."; of experts, which are alike, the first one's.
using parts_of_block = std::set<std::string>;

std::vector<parts_of_block> parts_of(const dlens_weights& weights) {
  std::vector<parts_of_block> out(weights.architecture->n_layers);
  for (std::uint64_t i = 0; i < weights.n_tensors; ++i) {
    const block_tensor t = block_tensor_of(*weights.tensors[i]);
    if (t.layer >= out.size() || (t.is_expert && !t.part.starts_with("expert.0."))) continue;
    out[t.layer].emplace(t.part);
  }
  return out;
}

// The ops of a block as if it were a model's only one.
std::string ops_of_block(const dlens_architecture& all, std::uint32_t layer, const parts_of_block& parts) {
  dlens_block block = *all.blocks[layer];
  dlens_attention attention{};
  if (block.attention != nullptr) {
    attention = *block.attention;
    attention.kv_layer = attention.kv_layer == layer ? 0 : 1;
    block.attention = &attention;
  }
  const dlens_block* const only = &block;
  dlens_architecture one = all;
  one.n_layers = 1;
  one.blocks = &only;
  one.embed_scale = 1;
  one.embed_dim = one.d_model;
  one.final_softcap = 0;
  std::vector<std::string> names{"final_norm"};
  for (const std::string& part : parts) names.push_back("block.0." + part);
  std::string out;
  for (const char* op : ops_of(one, {names.begin(), names.end()})) out += cat(out.empty() ? "" : ", ", op);
  return out;
}

// Rotary angles that differ are used in different blocks: those of windows, those that are stretched.
using angles = std::pair<std::vector<float>, double>;

angles angles_of(const dlens_block& block) {
  if (block.attention == nullptr || block.attention->rope_dims == 0) return {};
  const dlens_attention& a = *block.attention;
  return {{a.rope_inverse_frequency, a.rope_inverse_frequency + a.rope_dims / 2}, a.rope_scale};
}

}  // namespace

block_tensor block_tensor_of(const dlens_tensor& t) {
  const std::string_view name = to_view(t.name), before = "block.";
  block_tensor out;
  const std::size_t dot = name.find('.', before.size());
  if (!name.starts_with(before) || dot == std::string_view::npos) return out;
  std::from_chars(name.data() + before.size(), name.data() + dot, out.layer);
  out.part = name.substr(dot + 1);
  out.is_expert = out.part.starts_with("expert.");
  return out;
}

std::vector<block_kind> block_kinds_of(const dlens_weights& weights) {
  const dlens_architecture& all = *weights.architecture;
  const std::vector<parts_of_block> parts = parts_of(weights);
  std::map<std::pair<std::string, angles>, std::map<parts_of_block, std::size_t>> known;
  std::vector<block_kind> out;
  for (std::uint32_t layer = 0; layer < all.n_layers; ++layer) {
    std::string ops = ops_of_block(all, layer, parts[layer]);
    const auto [at, is_new] =
        known[{ops, angles_of(*all.blocks[layer])}].try_emplace(parts[layer], out.size());
    if (is_new) out.push_back({{}, std::move(ops)});
    out[at->second].blocks.push_back(layer);
  }
  return out;
}

}  // namespace depthlens
