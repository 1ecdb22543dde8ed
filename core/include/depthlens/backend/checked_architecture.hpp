// SPDX-License-Identifier: Apache-2.0
// For backends: the architecture that comes with a model's weights, checked before anything is computed from
// it, and its tables. Which tensors there are, and in which shapes, is checked where they are read.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/base/abi_error.hpp"
#include "depthlens/model/architecture.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace depthlens {

// Errors: status::internal for a description of another interface, or with what this one does not know,
// status::data for one that cannot be computed with.
inline const dlens_architecture& checked_architecture(const dlens_weights& weights) {
  if (!DLENS_HAS(dlens_weights, &weights, n_tensors) || !weights.architecture ||
      !DLENS_HAS(dlens_architecture, weights.architecture, rope_scale)) {
    fail(status::internal, "the weights come without an architecture that this backend understands");
  }
  const dlens_architecture& arch = *weights.architecture;
  refuse_unknown_members(weights, "the weights");
  refuse_unknown_members(arch, "the architecture");
  const auto need = [](bool ok, const char* what) {
    if (!ok) fail(status::data, "the model's architecture is not usable: ", what);
  };
  constexpr std::uint32_t most = size_limits::any;
  for (const std::uint32_t n : {arch.n_layers, arch.d_model, arch.n_heads, arch.n_kv_heads, arch.head_dim,
                                arch.d_ff, arch.vocab_size, arch.max_positions}) {
    need(n > 0 && n <= most, "a size is 0 or above 16777216");
  }
  need(arch.n_heads % arch.n_kv_heads == 0, "the key-value heads do not divide the heads");
  need(1ull * arch.n_heads * arch.head_dim <= most, "the heads are too wide");
  need(arch.rope_dims % 2 == 0 && arch.rope_dims <= arch.head_dim,
       "the rotary dimensions do not fit the head");
  need(arch.rope_dims == 0 || arch.rope_kind == DLENS_ROPE_HALF || arch.rope_kind == DLENS_ROPE_INTERLEAVED,
       "unknown rotary pairing");
  need(arch.rope_dims == 0 || arch.rope_inverse_frequency != nullptr, "rotary frequencies are missing");
  need(arch.norm_kind == DLENS_NORM_RMS || arch.norm_kind == DLENS_NORM_LAYER, "unknown norm");
  need(arch.activation >= DLENS_ACTIVATION_SILU && arch.activation <= DLENS_ACTIVATION_RELU,
       "unknown activation");
  need(arch.block_form == DLENS_BLOCK_SEQUENTIAL || arch.block_form == DLENS_BLOCK_PARALLEL,
       "unknown form of a block");
  need(arch.position_offset <= most, "the position offset is above 16777216");
  const auto from_zero = [](double x) { return std::isfinite(x) && x >= 0; };
  need(from_zero(arch.norm_eps), "the norm's epsilon is not a positive number");
  need(from_zero(arch.attention_softcap) && from_zero(arch.final_softcap),
       "a soft cap is not a positive number");
  need(std::isfinite(arch.norm_offset) && std::isfinite(arch.embed_scale) &&
           std::isfinite(arch.attention_scale) && std::isfinite(arch.rope_scale),
       "a scale is not a number");
  return arch;
}

// The tables that an architecture points to, as a model's own.
struct architecture_tables {
  std::vector<float> inverse_frequency;        // (rope_dims / 2)
  std::vector<float> local_inverse_frequency;  // the same for layers with a window; empty = as the others
  std::vector<std::uint32_t> windows;          // (n_layers), 0 = all ancestors; empty = 0 everywhere

  std::uint32_t window(std::uint32_t layer) const { return windows.empty() ? 0 : windows[layer]; }
};

// Of a checked architecture, whose pointers to the host's tables become null.
inline architecture_tables own_tables(dlens_architecture& arch) {
  const std::size_t half = arch.rope_dims / 2;
  const auto copy = []<class T>(const T* from, std::size_t n) {
    return from ? std::vector<T>(from, from + n) : std::vector<T>();
  };
  architecture_tables out{copy(arch.rope_inverse_frequency, half),
                          copy(arch.local_rope_inverse_frequency, half), copy(arch.window, arch.n_layers)};
  arch.rope_inverse_frequency = arch.local_rope_inverse_frequency = nullptr;
  arch.window = nullptr;
  return out;
}

}  // namespace depthlens
