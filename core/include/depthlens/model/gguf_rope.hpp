// SPDX-License-Identifier: Apache-2.0
// The rotary part of GGUF metadata: how much of a head is rotated, base, scaling, and the divisors of single
// frequencies that Llama 3 keeps in a tensor.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "depthlens/error.hpp"
#include "depthlens/model/architecture.hpp"
#include "depthlens/model/blocks.hpp"
#include "depthlens/model/families/gguf_family.hpp"
#include "depthlens/model/gguf.hpp"
#include "depthlens/model/printable.hpp"

namespace depthlens::detail {

inline rope_scaling read_gguf_scaling(const gguf_file& file, const std::string& prefix) {
  rope_scaling out;
  const std::string_view type = file.find_string(prefix + "rope.scaling.type").value_or("");
  double factor = file.find_float(prefix + "rope.scale_linear").value_or(1.0);
  if (type == "linear") {
    factor = file.require_float(prefix + "rope.scaling.factor");
  } else if (!type.empty() && type != "none") {
    fail(status::data, file.path(), ": rope scaling ", printable(type),
         " is not supported; none and linear are");
  }
  if (factor != 1.0 && factor != 0.0) out = {.type = rope_scaling::kind::linear, .factor = factor};
  return out;
}

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
  if (a.rope_dims < 2)
    fail(status::data, file.path(), ": ", a.rope_dims, " rotary dimensions, expected 2 or more");
  check_architecture(a, file.path());
  const double theta = file.find_float(prefix + "rope.freq_base").value_or(10000.0);
  const rope_scaling scaling = read_gguf_scaling(file, prefix);
  check_rope(theta, scaling, file.path());
  a.rope_inv_freq = rope_frequencies(a.rope_dims, theta, scaling);
  const gguf_tensor* factors = f.freq_factors ? file.find_tensor("rope_freqs.weight") : nullptr;
  if (factors != nullptr) {
    const std::vector<float> divisor = rope_divisors(file, *factors, a);
    for (std::size_t i = 0; i < divisor.size(); ++i) a.rope_inv_freq[i] /= divisor[i];
  }
  if (f.local_theta == 0) return;
  const double local = file.find_float(prefix + "rope.freq_base_swa").value_or(f.local_theta);
  check_rope(local, {}, file.path());
  a.local_rope_inv_freq = rope_frequencies(a.rope_dims, local, {});
}

}  // namespace depthlens::detail
