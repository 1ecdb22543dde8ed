// SPDX-License-Identifier: Apache-2.0
#include "model/readout_reference.hpp"

#include "depthlens/files/blocks.hpp"

#include <algorithm>
#include <cmath>

namespace depthlens {
namespace {

// Row r of a canonical tensor; of a vector, its element r.
std::vector<double> row_of(const tensor_view& t, std::uint64_t r) {
  const std::uint64_t columns = t.shape.size() == 2 ? t.shape[1] : 1;
  const std::uint64_t group = std::max<std::uint64_t>(t.row_group, 1);
  const std::uint64_t first = ((r / group) * t.group_stride + r % group) * t.row_stride;
  const block_layout block = block_size(t.type);
  const auto at = [&](std::uint64_t element) { return t.data + element / block.values * block.bytes; };
  std::vector<float> values(columns);
  if (columns == 1 || t.column_stride == 1) {
    dequantize(t.type, at(first), columns, values.data());
  } else {
    for (std::uint64_t c = 0; c < columns; ++c)
      dequantize(t.type, at(first + c * t.column_stride), 1, &values[c]);
  }
  return {values.begin(), values.end()};
}

std::vector<double> vector_of(const tensor_view& t) {
  std::vector<double> out;
  for (std::uint64_t r = 0; r < t.shape[0]; ++r) out.push_back(row_of(t, r)[0]);
  return out;
}

std::vector<double> product_of(const tensor_view& matrix, const std::vector<double>& x) {
  std::vector<double> out;
  for (std::uint64_t r = 0; r < matrix.shape[0]; ++r) {
    const std::vector<double> row = row_of(matrix, r);
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) sum += row[i] * x[i];
    out.push_back(sum);
  }
  return out;
}

}  // namespace

readout_reference::readout_reference(const model_files& files) : files_(files) {
  if (const tensor_view* norm = files.find_tensor("final_norm")) weight_ = vector_of(*norm);
  if (const tensor_view* bias = files.find_tensor("final_norm.bias")) bias_ = vector_of(*bias);
}

std::vector<double> readout_reference::embedding(std::int32_t token) const {
  const architecture& a = files_.arch();
  std::vector<double> h = row_of(files_.tensor("embed"), static_cast<std::uint64_t>(token));
  for (double& x : h) x *= a.embed_scale;
  if (const tensor_view* projection = files_.find_tensor("in_projection")) h = product_of(*projection, h);
  if (const tensor_view* position = files_.find_tensor("position")) {
    const std::vector<double> row = row_of(*position, a.position_offset);
    for (std::size_t i = 0; i < h.size(); ++i) h[i] += row[i];
  }
  if (const tensor_view* norm = files_.find_tensor("embed_norm")) {
    const tensor_view* const bias = files_.find_tensor("embed_norm.bias");
    h = normed_by(h, vector_of(*norm), bias ? vector_of(*bias) : std::vector<double>{});
  }
  return h;
}

std::vector<double> readout_reference::unembedding(std::int32_t token) const {
  return row_of(files_.tensor("unembed"), static_cast<std::uint64_t>(token));
}

std::vector<double> readout_reference::direction_of(std::int32_t token) const {
  const std::vector<double> row = unembedding(token);
  const tensor_view* const projection = files_.find_tensor("out_projection");
  if (projection == nullptr) return row;
  std::vector<double> out(projection->shape[1]);
  for (std::uint64_t r = 0; r < projection->shape[0]; ++r) {
    const std::vector<double> from = row_of(*projection, r);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += row[r] * from[i];
  }
  return out;
}

std::vector<double> readout_reference::input_of(std::span<const double> h) const {
  std::vector<double> x = final_norm(h);
  const tensor_view* const projection = files_.find_tensor("out_projection");
  return projection == nullptr ? x : product_of(*projection, x);
}

std::vector<double> readout_reference::final_norm(std::span<const double> h) const {
  if (weight_.empty()) return {h.begin(), h.end()};
  return normed_by(h, weight_, bias_);
}

std::vector<double> readout_reference::normed_by(std::span<const double> h, const std::vector<double>& weight,
                                                 const std::vector<double>& bias) const {
  const architecture& a = files_.arch();
  const auto n = static_cast<double>(h.size());
  double mean = 0, square = 0;
  if (a.norm == norm_kind::layer)
    for (const double x : h) mean += x / n;
  for (const double x : h) square += (x - mean) * (x - mean) / n;
  const double scale = 1 / std::sqrt(square + a.norm_eps);
  std::vector<double> out(h.size());
  for (std::size_t i = 0; i < h.size(); ++i)
    out[i] = (h[i] - mean) * scale * (weight[i] + a.norm_offset) + (bias.empty() ? 0 : bias[i]);
  return out;
}

double readout_reference::logit_of(double product, std::int32_t token) const {
  if (const tensor_view* bias = files_.find_tensor("unembed.bias"))
    product += row_of(*bias, static_cast<std::uint64_t>(token))[0];
  const double cap = files_.arch().final_softcap;
  return cap > 0 ? cap * std::tanh(product / cap) : product;
}

std::vector<reference_logit> readout_reference::logits(std::span<const double> h,
                                                       std::span<const std::int32_t> tokens) const {
  const std::vector<double> x = input_of(h);
  std::vector<reference_logit> out;
  for (const std::int32_t token : tokens) {
    const std::vector<double> row = unembedding(token);
    reference_logit z;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double product = x[i] * row[i];
      z.value += product;
      z.absolute_sum += std::abs(product);
      z.norm += product * product;
    }
    z.norm = std::sqrt(z.norm);
    z.value = logit_of(z.value, token);
    out.push_back(z);
  }
  return out;
}

}  // namespace depthlens
