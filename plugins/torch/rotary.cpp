// SPDX-License-Identifier: Apache-2.0
#include "rotary.hpp"

namespace depthlens::torch_backend {

// Angles are products in float32, as dlens_attention says.
rope_angles make_angles(const at::Tensor& position, const at::Tensor& inverse_frequency, double scale) {
  const at::Tensor angle = (position.to(at::kFloat).unsqueeze(1) * inverse_frequency).to(at::kDouble);
  const auto table = [&](const at::Tensor& values) {
    const at::Tensor rounded = values.to(at::kFloat).unsqueeze(1);
    return scale == 1 ? rounded : rounded * scale;
  };
  return {table(angle.cos()), table(angle.sin())};
}

at::Tensor turned(const at::Tensor& heads, const rope_angles& angles, const dlens_attention& a,
                  std::int64_t begin) {
  if (a.rope_dims == 0) return heads;
  const std::int64_t dims = a.rope_dims, end = begin + dims, width = heads.size(2);
  const bool interleaved = a.rope_kind == DLENS_ROPE_INTERLEAVED;
  const at::Tensor part = heads.narrow(2, begin, dims).to(at::kFloat);
  const at::Tensor first = interleaved ? part.slice(2, 0, dims, 2) : part.narrow(2, 0, dims / 2);
  const at::Tensor second = interleaved ? part.slice(2, 1, dims, 2) : part.narrow(2, dims / 2, dims / 2);
  const at::Tensor x = first * angles.cosine - second * angles.sine;
  const at::Tensor y = second * angles.cosine + first * angles.sine;
  const at::Tensor out =
      (interleaved ? at::stack({x, y}, 3).flatten(2) : at::cat({x, y}, 2)).to(heads.scalar_type());
  if (dims == width) return out;
  return at::cat({heads.narrow(2, 0, begin), out, heads.narrow(2, end, width - end)}, 2);
}

}  // namespace depthlens::torch_backend
