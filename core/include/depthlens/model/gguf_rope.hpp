// SPDX-License-Identifier: Apache-2.0
// The rotary part of GGUF metadata: how much of a head is rotated, base, scaling, and the divisors of single
// frequencies that Llama 3 and Phi-3 keep in tensors.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/files/blocks.hpp"
#include "depthlens/files/gguf.hpp"
#include "depthlens/model/architecture.hpp"
#include "depthlens/model/families/gguf_family.hpp"
#include "depthlens/model/rope_scaling.hpp"

namespace depthlens::detail {

// The `n` values of a tensor that divides the frequencies.
inline std::vector<float> rope_divisors(const gguf_file& file, const gguf_tensor& tensor, std::uint32_t n) {
  const tensor_view& view = tensor.view;
  if (view.type != dtype::f32 || view.shape.size() != 1 || view.shape[0] != n) {
    fail(status::data, file.path(), ": ", view.name, " must hold ", n, " F32 values");
  }
  std::vector<float> divisor(n);
  dequantize(dtype::f32, view.data, divisor.size(), divisor.data());
  for (std::size_t i = 0; i < divisor.size(); ++i) {
    if (!(divisor[i] > 0) || !std::isfinite(divisor[i])) {
      fail(status::data, file.path(), ": ", view.name, ": value ", i, " is ", divisor[i],
           ", expected more than 0");
    }
  }
  return divisor;
}

inline rope_scaling read_gguf_yarn(const gguf_file& file, const std::string& prefix, const gguf_family& f) {
  rope_scaling out{.type = rope_scaling::kind::yarn, .truncate = f.yarn_truncates};
  out.factor = file.require_float(prefix + "rope.scaling.factor");
  out.original_positions = file.require_u32(prefix + "rope.scaling.original_context_length");
  out.beta_fast = file.find_float(prefix + "rope.scaling.yarn_beta_fast").value_or(out.beta_fast);
  out.beta_slow = file.find_float(prefix + "rope.scaling.yarn_beta_slow").value_or(out.beta_slow);
  out.attention_factor = file.find_float(prefix + "rope.scaling.yarn_attn_factor").value_or(0.0);
  if (const double by = file.find_float(prefix + "rope.scaling.yarn_ext_factor").value_or(1.0); by != 1) {
    fail(status::data, file.path(), ": ", prefix, "rope.scaling.yarn_ext_factor is ", by,
         ", but only 1 is supported");
  }
  // Ten times it is what folders call mscale_all_dim; their mscale is the same.
  const double log_scale = file.find_float(prefix + "rope.scaling.yarn_log_multiplier").value_or(0.0);
  out.mscale = out.mscale_all_dim = 10 * log_scale;
  return out;
}

// Phi-3 with long contexts: the divisors of short prompts and of long ones are tensors, the type is often not
// said.
inline rope_scaling read_gguf_longrope(const gguf_file& file, const std::string& prefix,
                                       const architecture& a, std::uint32_t dims) {
  const auto factors = [&](const char* name) {
    const gguf_tensor* const tensor = file.find_tensor(name);
    if (tensor == nullptr) fail(status::data, file.path(), ": tensor '", name, "' is missing");
    return rope_divisors(file, *tensor, dims / 2);
  };
  rope_scaling out{.type = rope_scaling::kind::longrope};
  out.divisors = factors("rope_factors_short.weight");
  out.long_divisors = factors("rope_factors_long.weight");
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

inline rope_scaling read_gguf_scaling(const gguf_file& file, const gguf_family& f, const architecture& a,
                                      std::uint32_t dims) {
  const std::string prefix = std::string(f.name) + ".";
  const std::string_view type = file.find_string(prefix + "rope.scaling.type").value_or("");
  const std::optional<double> factor = gguf_rope_factor(file, prefix);
  const bool factors = f.long_factors && (file.find_tensor("rope_factors_short.weight") != nullptr ||
                                          file.find_tensor("rope_factors_long.weight") != nullptr);
  if (factors && is_listed("longrope none", type.empty() ? "none" : type)) {
    if (!factor || type == "none") return read_gguf_longrope(file, prefix, a, dims);
    fail(status::data, file.path(), ": a rope scaling factor of ", *factor, " under ", prefix,
         "rope.scaling.factor or ", prefix,
         "rope.scale_linear is not understood beside rope_factors_short.weight");
  }
  if (const double by = file.find_float(prefix + "rope.scaling.attn_factor").value_or(1.0); by != 1) {
    fail(status::data, file.path(), ": ", prefix, "rope.scaling.attn_factor is ", by,
         ", which is understood with rope_factors_short.weight only");
  }
  if (type == "yarn") return read_gguf_yarn(file, prefix, f);
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

// How many dimensions of a head of size `head` are rotated.
inline std::uint32_t gguf_rope_dims(const gguf_file& file, const gguf_family& f, const std::string& key,
                                    std::uint32_t head) {
  const std::uint32_t dims = file.find_u32(key).value_or(head);
  if (!f.part_varies && dims != head)
    fail(status::data, file.path(), ": ", key, " is ", dims, ", expected the head size ", head);
  if (dims < 2 || dims % 2 != 0 || dims > head) {
    fail(status::data, file.path(), ": ", key, ", or the head size without it, is ", dims,
         ", expected an even number of 2 to the head size ", head);
  }
  return dims;
}

// The rotary numbers of one kind of layer.
struct gguf_rope {
  std::uint32_t dims = 0;
  shared_numbers frequencies, long_frequencies;
  double scale = 1;
};

inline gguf_rope read_global_rope(const gguf_file& file, const gguf_family& f, architecture& a,
                                  std::uint32_t head) {
  const std::string prefix = std::string(f.name) + ".";
  // Of attention of low rank the rotated dimensions are a part of the key by themselves.
  const std::uint32_t dims = f.latent ? a.first_attention()->rope_dims
                                      : gguf_rope_dims(file, f, prefix + "rope.dimension_count", head);
  const double theta = file.find_float(prefix + "rope.freq_base").value_or(10000.0);
  const rope_scaling scaling = read_gguf_scaling(file, f, a, dims);
  check_rope(theta, scaling, dims, file.path());
  set_long_positions(scaling, a);
  std::vector<float> frequencies = rope_frequencies(dims, theta, scaling);
  if (const gguf_tensor* factors = f.freq_factors ? file.find_tensor("rope_freqs.weight") : nullptr) {
    const std::vector<float> divisor = rope_divisors(file, *factors, dims / 2);
    for (std::size_t i = 0; i < divisor.size(); ++i) frequencies[i] /= divisor[i];
  }
  gguf_rope out{.dims = dims,
                .frequencies = shared_numbers(std::move(frequencies)),
                .long_frequencies = {},
                .scale = rope_scale_of(scaling, file.path())};
  if (a.long_positions != 0)
    out.long_frequencies = shared_numbers(long_rope_frequencies(dims, theta, scaling));
  return out;
}

inline gguf_rope read_local_rope(const gguf_file& file, const gguf_family& f, std::uint32_t head) {
  const std::string prefix = std::string(f.name) + ".";
  const double usual =
      f.local_theta != 0 ? f.local_theta : file.find_float(prefix + "rope.freq_base").value_or(10000.0);
  const double theta = file.find_float(prefix + "rope.freq_base_swa").value_or(usual);
  const std::uint32_t dims = gguf_rope_dims(file, f, prefix + "rope.dimension_count_swa", head);
  check_rope(theta, {}, dims, file.path());
  return {dims, shared_numbers(rope_frequencies(dims, theta, {})), {}, 1};
}

// Sets the rotary numbers of each block's attention; layers with a window have their own where the family has
// such. Windows are there; heads of a kind of layer have one size.
inline void read_gguf_rope(const gguf_file& file, const gguf_family& f, architecture& a) {
  if (!f.rotary) return;
  std::optional<gguf_rope> global, local;
  for (block_part& b : a.blocks) {
    if (!b.attention) continue;
    attention_part& t = *b.attention;
    const bool is_local = f.local && t.window != 0;
    std::optional<gguf_rope>& rope = is_local ? local : global;
    if (!rope)
      rope = is_local ? read_local_rope(file, f, t.head_dim) : read_global_rope(file, f, a, t.head_dim);
    t.rope = f.rope;
    t.rope_dims = rope->dims;
    t.rope_inv_freq = rope->frequencies;
    t.rope_long_inv_freq = rope->long_frequencies;
    t.rope_scale = rope->scale;
  }
}

}  // namespace depthlens::detail
