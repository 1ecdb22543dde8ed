// SPDX-License-Identifier: Apache-2.0
// The rotary part of GGUF metadata: how much of a head is rotated, base, scaling, and the divisors of single
// frequencies that Llama 3 and Phi-3 keep in tensors.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/files/blocks.hpp"
#include "depthlens/files/gguf.hpp"
#include "depthlens/model/architecture.hpp"
#include "depthlens/model/families/gguf_family.hpp"
#include "depthlens/model/rope_scaling.hpp"

namespace depthlens::detail {

// The (rope_dims / 2) values of a tensor that divides the frequencies.
inline std::vector<float> rope_divisors(const gguf_file& file, const gguf_tensor& tensor,
                                        const architecture& a) {
  const tensor_view& view = tensor.view;
  if (view.type != dtype::f32 || view.shape.size() != 1 || view.shape[0] != a.rope_dims / 2) {
    fail(status::data, file.path(), ": ", view.name, " must hold ", a.rope_dims / 2, " F32 values");
  }
  std::vector<float> divisor(a.rope_dims / 2);
  dequantize(dtype::f32, view.data, divisor.size(), divisor.data());
  for (std::size_t i = 0; i < divisor.size(); ++i) {
    if (!(divisor[i] > 0) || !std::isfinite(divisor[i])) {
      fail(status::data, file.path(), ": ", view.name, ": value ", i, " is ", divisor[i],
           ", expected more than 0");
    }
  }
  return divisor;
}

inline rope_scaling read_gguf_yarn(const gguf_file& file, const std::string& prefix) {
  rope_scaling out{.type = rope_scaling::kind::yarn};
  out.factor = file.require_float(prefix + "rope.scaling.factor");
  out.original_positions = file.require_u32(prefix + "rope.scaling.original_context_length");
  out.beta_fast = file.find_float(prefix + "rope.scaling.yarn_beta_fast").value_or(out.beta_fast);
  out.beta_slow = file.find_float(prefix + "rope.scaling.yarn_beta_slow").value_or(out.beta_slow);
  return out;
}

// Phi-3 with long contexts: the divisors of short prompts and of long ones are tensors, the type is often not
// said.
inline rope_scaling read_gguf_longrope(const gguf_file& file, const std::string& prefix,
                                       const architecture& a) {
  const gguf_tensor* const factors = file.find_tensor("rope_factors_short.weight");
  if (factors == nullptr) fail(status::data, file.path(), ": tensor 'rope_factors_short.weight' is missing");
  rope_scaling out{.type = rope_scaling::kind::longrope};
  out.divisors = rope_divisors(file, *factors, a);
  out.original_positions = file.require_u32(prefix + "rope.scaling.original_context_length");
  if (out.original_positions > 0) out.factor = a.max_positions / out.original_positions;
  if (const auto by = file.find_float(prefix + "rope.scaling.attn_factor")) {
    if (!(*by > 0)) {
      fail(status::data, file.path(), ": ", prefix, "rope.scaling.attn_factor is ", *by,
           ", expected more than 0");
    }
    out.attention_factor = *by;
  }
  return out;
}

// By how much positions are divided, under the key of today or the older one; nothing where neither says any.
inline std::optional<double> gguf_rope_factor(const gguf_file& file, const std::string& prefix) {
  const auto factor = file.find_float(prefix + "rope.scaling.factor");
  const auto old = file.find_float(prefix + "rope.scale_linear");
  if (factor && old && *factor != *old) {
    fail(status::data, file.path(), ": ", prefix, "rope.scaling.factor is ", *factor, " and ", prefix,
         "rope.scale_linear ", *old);
  }
  const std::optional<double> by = factor ? factor : old;
  return by == 1.0 || by == 0.0 ? std::nullopt : by;
}

inline rope_scaling read_gguf_scaling(const gguf_file& file, const gguf_family& f, const architecture& a) {
  const std::string prefix = std::string(f.name) + ".";
  const std::string_view type = file.find_string(prefix + "rope.scaling.type").value_or("");
  const std::optional<double> factor = gguf_rope_factor(file, prefix);
  const bool factors = f.long_factors && (file.find_tensor("rope_factors_short.weight") != nullptr ||
                                          file.find_tensor("rope_factors_long.weight") != nullptr);
  if (factors && is_listed("longrope none", type.empty() ? "none" : type)) {
    if (!factor || type == "none") return read_gguf_longrope(file, prefix, a);
    fail(status::data, file.path(), ": a rope scaling factor of ", *factor, " under ", prefix,
         "rope.scaling.factor or ", prefix,
         "rope.scale_linear is not understood beside rope_factors_short.weight");
  }
  if (const double by = file.find_float(prefix + "rope.scaling.attn_factor").value_or(1.0); by != 1) {
    fail(status::data, file.path(), ": ", prefix, "rope.scaling.attn_factor is ", by,
         ", which is understood with rope_factors_short.weight only");
  }
  if (type == "yarn") return read_gguf_yarn(file, prefix);
  if (type == "none") return {};
  if (!type.empty() && type != "linear") {
    fail(status::data, file.path(), ": rope scaling ", printable(type),
         " is not supported; none, linear and yarn are, and longrope in Phi-3");
  }
  if (factor) return {.type = rope_scaling::kind::linear, .factor = *factor};
  // Without a type "linear" is meant, but where it is said there is a factor to it.
  if (type == "linear" && !file.find_float(prefix + "rope.scale_linear"))
    file.require_float(prefix + "rope.scaling.factor");
  return {};
}

// Sets rope, rope_dims and the frequencies of an architecture whose sizes are checked.
inline void read_gguf_rope(const gguf_file& file, const gguf_family& f, architecture& a) {
  if (!f.rotary) return;
  const std::string prefix = std::string(f.name) + ".";
  a.rope = f.rope;
  a.rope_dims = file.find_u32(prefix + "rope.dimension_count").value_or(a.head_dim);
  if (!f.part_varies && a.rope_dims != a.head_dim) {
    fail(status::data, file.path(), ": ", prefix, "rope.dimension_count is ", a.rope_dims,
         ", expected the head size ", a.head_dim);
  }
  if (a.rope_dims < 2 || a.rope_dims % 2 != 0 || a.rope_dims > a.head_dim) {
    fail(status::data, file.path(), ": ", prefix, "rope.dimension_count, or the head size without it, is ",
         a.rope_dims, ", expected an even number of 2 to the head size ", a.head_dim);
  }
  const double theta = file.find_float(prefix + "rope.freq_base").value_or(10000.0);
  const rope_scaling scaling = read_gguf_scaling(file, f, a);
  check_rope(theta, scaling, a.rope_dims, file.path());
  a.rope_inv_freq = rope_frequencies(a.rope_dims, theta, scaling);
  const gguf_tensor* factors = f.freq_factors ? file.find_tensor("rope_freqs.weight") : nullptr;
  if (factors != nullptr) {
    const std::vector<float> divisor = rope_divisors(file, *factors, a);
    for (std::size_t i = 0; i < divisor.size(); ++i) a.rope_inv_freq[i] /= divisor[i];
  }
  if (f.local_theta != 0) {
    const double local = file.find_float(prefix + "rope.freq_base_swa").value_or(f.local_theta);
    check_rope(local, {}, a.rope_dims, file.path());
    a.local_rope_inv_freq = rope_frequencies(a.rope_dims, local, {});
  }
  apply_rope_limits(scaling, a, file.path(), prefix + "rope.scaling.original_context_length");
}

}  // namespace depthlens::detail
