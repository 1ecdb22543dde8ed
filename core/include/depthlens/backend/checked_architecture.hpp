// SPDX-License-Identifier: Apache-2.0
// For backends: the architecture that comes with a model's weights as the backend's own, checked before
// anything is computed from it. Which tensors there are, and in which shapes, is checked where they are read.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/backend/tensor_set.hpp"
#include "depthlens/base/abi_error.hpp"
#include "depthlens/model/architecture.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// Rotary angles that blocks have in common.
struct rope_table {
  std::vector<float> inverse_frequency;       // (rope_dims / 2)
  std::vector<float> long_inverse_frequency;  // of prompts of more than long_positions tokens
  double scale = 1;                           // of what is rotated

  bool operator==(const rope_table&) const = default;
};

// A block's parts; pointers in the C structs are null.
struct block_shape {
  dlens_block form{};
  std::optional<dlens_attention> attention;
  std::optional<dlens_delta_rule> delta;
  std::optional<dlens_experts> experts;
  std::size_t rope = 0;             // number of the attention's rope_table, where it has rotary positions
  std::vector<float> alibi_slopes;  // (H) or empty

  bool shares_kv(std::uint32_t layer) const { return attention && attention->kv_layer != layer; }
};

struct owned_architecture {
  dlens_architecture all{};         // its pointers are null
  std::vector<block_shape> blocks;  // (n_layers)
  std::vector<rope_table> ropes;    // different ones
  std::optional<dlens_layer_inputs> layer_inputs;
  bool final_norm = true;  // else the model says that it has none

  std::uint32_t n_layers() const { return all.n_layers; }
  // Do blocks after this one take its keys and values?
  bool is_shared(std::uint32_t layer) const {
    const auto takes = [&](const block_shape& b) { return b.attention && b.attention->kv_layer == layer; };
    return std::any_of(blocks.begin() + layer + 1, blocks.end(), takes);
  }
};

namespace detail {

class architecture_checker {
 public:
  explicit architecture_checker(const dlens_architecture& from) : from_(from) {}

  owned_architecture check() {
    out_.all = from_;
    out_.all.blocks = nullptr;
    out_.all.layer_inputs = nullptr;
    out_.all.ops = nullptr;
    sizes({from_.n_layers, from_.d_model, from_.vocab_size, from_.max_positions, from_.embed_dim});
    need(from_.norm_kind == DLENS_NORM_RMS || from_.norm_kind == DLENS_NORM_LAYER, "unknown norm");
    need(from_.position_offset <= size_limits::any, "the position offset is above 16777216");
    need(from_zero(from_.norm_eps), "the norm's epsilon is not a positive number");
    need(from_zero(from_.final_softcap), "a soft cap is not a positive number");
    need(std::isfinite(from_.norm_offset) && std::isfinite(from_.embed_scale), "a scale is not a number");
    need(from_.blocks != nullptr, "there are no blocks");
    for (std::uint32_t i = 0; i < from_.n_layers; ++i) add_block(i, from_.blocks[i]);
    if (from_.layer_inputs) add_layer_inputs(*from_.layer_inputs);
    return std::move(out_);
  }

 private:
  static void need(bool ok, const char* what) {
    if (!ok) fail(status::data, "the model's architecture is not usable: ", what);
  }
  static bool from_zero(double x) { return std::isfinite(x) && x >= 0; }
  static void sizes(std::initializer_list<std::uint32_t> all) {
    for (const std::uint32_t n : all) need(n > 0 && n <= size_limits::any, "a size is 0 or above 16777216");
  }
  static void fits(std::uint64_t a, std::uint64_t b, const char* what) {
    need(a * b <= size_limits::any, what);
  }

  void add_block(std::uint32_t layer, const dlens_block* given) {
    if (!given || !DLENS_HAS(dlens_block, given, output_scale))
      fail(status::internal, "block ", layer, " is not described");
    refuse_unknown_members(*given, "a block of the architecture");
    block_shape& to = out_.blocks.emplace_back();
    to.form = *given;
    to.form.attention = nullptr;
    to.form.delta_rule = nullptr;
    to.form.experts = nullptr;
    need(given->form >= DLENS_BLOCK_SEQUENTIAL && given->form <= DLENS_BLOCK_NORM_AFTER,
         "unknown form of a block");
    need(given->activation >= DLENS_ACTIVATION_SILU && given->activation <= DLENS_ACTIVATION_CLAMPED,
         "unknown activation");
    need(std::isfinite(given->activation_alpha) && from_zero(given->activation_limit) &&
             std::isfinite(given->residual_scale) && std::isfinite(given->output_scale),
         "a scale is not a number");
    need(given->d_ff <= size_limits::any, "a size is above 16777216");
    need(given->d_ff > 0 || given->experts != nullptr, "a block has neither a dense part nor experts");
    need(!given->attention != !given->delta_rule, "a block needs one mixer: attention or a delta rule");
    if (given->attention) add_attention(layer, *given->attention, to);
    if (given->delta_rule) add_delta_rule(*given->delta_rule, to);
    if (given->experts) add_experts(*given->experts, to);
  }

  void add_attention(std::uint32_t layer, const dlens_attention& a, block_shape& to) {
    if (!DLENS_HAS(dlens_attention, &a, rope_long_inverse_frequency))
      fail(status::internal, "attention is not described");
    refuse_unknown_members(a, "the attention of a block");
    sizes({a.n_heads, a.n_kv_heads, a.head_dim, a.value_dim});
    need(a.n_heads % a.n_kv_heads == 0, "the key-value heads do not divide the heads");
    fits(a.n_heads, std::max(a.head_dim, a.value_dim), "the heads are too wide");
    need(a.q_rank <= size_limits::any && a.kv_rank <= size_limits::any, "a size is above 16777216");
    need(a.kv_rank > 0 || (a.value_dim == a.head_dim && a.q_rank == 0),
         "only attention of low rank has values of another width");
    need(a.kv_rank == 0 || (a.n_kv_heads == a.n_heads && a.rope_dims < a.head_dim),
         "attention of low rank has keys for every head, and not all of a key is rotated");
    need(a.rope_dims % 2 == 0 && a.rope_begin <= a.head_dim && a.rope_dims <= a.head_dim - a.rope_begin,
         "the rotary dimensions do not fit the head");
    need(a.rope_dims == 0 || a.rope_kind == DLENS_ROPE_HALF || a.rope_kind == DLENS_ROPE_INTERLEAVED,
         "unknown rotary pairing");
    need(a.rope_dims == 0 || a.rope_inverse_frequency != nullptr, "rotary frequencies are missing");
    need(a.rope_long_inverse_frequency == nullptr || (a.rope_dims > 0 && from_.long_positions > 0),
         "rotary frequencies of longer prompts, but none are longer or rotated");
    need(a.alibi <= DLENS_ALIBI_ROUNDED && (a.alibi == DLENS_ALIBI_NONE || a.alibi_slopes != nullptr),
         "ALiBi is not described");
    need(from_zero(a.softcap) && from_zero(a.clip), "a soft cap or clip is not a positive number");
    need(std::isfinite(a.scale) && std::isfinite(a.rope_scale) && from_zero(a.latent_norm_eps),
         "a scale is not a number");
    need(a.kv_layer <= layer, "a block takes keys and values of a later one");
    if (a.kv_layer < layer) check_shared(a, out_.blocks[a.kv_layer]);
    to.attention = a;
    to.attention->rope_inverse_frequency = nullptr;
    to.attention->rope_long_inverse_frequency = nullptr;
    to.attention->alibi_slopes = nullptr;
    if (a.alibi != DLENS_ALIBI_NONE) to.alibi_slopes.assign(a.alibi_slopes, a.alibi_slopes + a.n_heads);
    if (a.rope_dims > 0) to.rope = rope_of(a);
  }

  static void check_shared(const dlens_attention& a, const block_shape& from) {
    need(from.attention && from.attention->n_kv_heads == a.n_kv_heads &&
             from.attention->head_dim == a.head_dim && a.kv_rank == 0 && from.attention->kv_rank == 0,
         "a block takes keys and values of another form than its own");
  }

  std::size_t rope_of(const dlens_attention& a) {
    const float* const shorter = a.rope_inverse_frequency;
    const float* const longer = a.rope_long_inverse_frequency ? a.rope_long_inverse_frequency : shorter;
    const std::size_t n = a.rope_dims / 2;
    rope_table table{{shorter, shorter + n}, {longer, longer + n}, a.rope_scale};
    const auto at = std::find(out_.ropes.begin(), out_.ropes.end(), table);
    const auto number = static_cast<std::size_t>(at - out_.ropes.begin());
    if (at == out_.ropes.end()) out_.ropes.push_back(std::move(table));
    return number;
  }

  static void add_delta_rule(const dlens_delta_rule& d, block_shape& to) {
    if (!DLENS_HAS(dlens_delta_rule, &d, conv_width)) fail(status::internal, "a delta rule is not described");
    refuse_unknown_members(d, "the delta rule of a block");
    sizes({d.n_key_heads, d.n_value_heads, d.key_dim, d.value_dim, d.conv_width});
    need(d.n_value_heads % d.n_key_heads == 0, "the key heads of a delta rule do not divide its value heads");
    fits(d.n_value_heads, std::max(d.key_dim, d.value_dim), "the heads are too wide");
    need(d.conv_width <= 64, "a convolution is wider than 64 tokens");
    to.delta = d;
  }

  static void add_experts(const dlens_experts& e, block_shape& to) {
    if (!DLENS_HAS(dlens_experts, &e, scale)) fail(status::internal, "experts are not described");
    refuse_unknown_members(e, "the experts of a block");
    sizes({e.n_experts, e.n_used, e.d_ff});
    need(e.n_used <= e.n_experts, "more experts are used than there are");
    need(e.d_shared <= size_limits::any, "a size is above 16777216");
    need(e.router >= DLENS_ROUTER_SOFTMAX && e.router <= DLENS_ROUTER_CHOSEN_SOFTMAX, "unknown router");
    need(e.group_score <= DLENS_GROUPS_BEST_TWO, "unknown score of a group of experts");
    need(e.group_score == DLENS_GROUPS_NONE ||
             (e.n_groups > 0 && e.n_experts % e.n_groups == 0 && e.groups_used > 0 &&
              e.groups_used <= e.n_groups && e.n_used <= e.groups_used * (e.n_experts / e.n_groups)),
         "the groups of experts do not fit");
    need(std::isfinite(e.scale), "a scale is not a number");
    to.experts = e;
  }

  void add_layer_inputs(const dlens_layer_inputs& i) {
    if (!DLENS_HAS(dlens_layer_inputs, &i, sum_scale))
      fail(status::internal, "layer inputs are not described");
    refuse_unknown_members(i, "the layer inputs");
    sizes({i.dim, i.vocab_size});
    fits(i.dim, from_.n_layers, "the layer inputs are too wide");
    need(std::isfinite(i.embed_scale) && std::isfinite(i.projection_scale) && std::isfinite(i.sum_scale),
         "a scale is not a number");
    out_.layer_inputs = i;
  }

  const dlens_architecture& from_;
  owned_architecture out_;
};

// The clamped activation is one of two numbers, gate and up: it is nothing where there is no gate, and not
// what layer inputs are gated with.
class clamped_checker {
 public:
  explicit clamped_checker(const dlens_weights& weights) : tensors_(weights) {}

  void check(std::uint32_t layer, const block_shape& block, bool layer_inputs) const {
    const std::string at = cat("block.", layer, ".");
    if (layer_inputs) refuse(cat("\"", DLENS_OP_LAYER_INPUTS, "\" in block ", layer));
    if (block.form.d_ff > 0) need(at + "gate");
    if (!block.experts) return;
    for (std::uint32_t e = 0; e < block.experts->n_experts; ++e) need(cat(at, "expert.", e, ".gate"));
    if (block.experts->d_shared > 0) need(at + "shared_gate");
  }

 private:
  void need(const std::string& gate) const {
    if (!tensors_.has(gate)) refuse(cat("\"", DLENS_OP_NO_GATE, "\", having no tensor ", gate));
  }
  [[noreturn]] static void refuse(const std::string& with) {
    fail(status::unavailable, "the model asks for \"", DLENS_OP_CLAMPED, "\" with ", with,
         ", which no backend computes");
  }

  tensor_set tensors_;
};

inline void check_clamped(const owned_architecture& a, const dlens_weights& weights) {
  std::optional<clamped_checker> checker;
  for (std::uint32_t i = 0; i < a.n_layers(); ++i) {
    if (a.blocks[i].form.activation != DLENS_ACTIVATION_CLAMPED) continue;
    if (!checker) checker.emplace(weights);
    checker->check(i, a.blocks[i], a.layer_inputs.has_value());
  }
}

}  // namespace detail

// known: the names of ops that the backend computes. Errors: status::unavailable with the name of another op,
// or of two that do not go together, status::internal for a description of another interface, or with what
// this one does not know, status::data for one that cannot be computed with.
inline owned_architecture checked_architecture(const dlens_weights& weights,
                                               std::span<const std::string_view> known) {
  if (!DLENS_HAS(dlens_weights, &weights, n_tensors) || !weights.architecture ||
      !DLENS_HAS(dlens_architecture, weights.architecture, reserved)) {
    fail(status::internal, "the weights come without an architecture that this backend understands");
  }
  const dlens_architecture& from = *weights.architecture;
  refuse_unknown_members(weights, "the weights");
  refuse_unknown_members(from, "the architecture");
  for (std::uint64_t i = 0; i < from.n_ops; ++i) {
    const std::string_view op = from.ops[i];
    if (std::find(known.begin(), known.end(), op) == known.end())
      fail(status::unavailable, "the model asks for \"", op, "\", which this backend does not compute");
  }
  owned_architecture out = detail::architecture_checker(from).check();
  detail::check_clamped(out, weights);
  for (std::uint64_t i = 0; i < from.n_ops; ++i)
    if (from.ops[i] == std::string_view(DLENS_OP_NO_FINAL_NORM)) out.final_norm = false;
  return out;
}

}  // namespace depthlens
