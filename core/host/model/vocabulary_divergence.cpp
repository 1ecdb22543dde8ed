// SPDX-License-Identifier: Apache-2.0
#include "model/vocabulary_divergence.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

namespace depthlens {
namespace {

using inputs = std::vector<std::vector<double>>;

inputs inputs_of(const readout_reference& model, std::span<const std::span<const float>> states) {
  inputs out;
  for (const std::span<const float> h : states)
    out.push_back(model.input_of(std::vector<double>(h.begin(), h.end())));
  return out;
}

// In an order of its own, the same for every row, that compilers can do several at a time.
double product_of(const std::vector<double>& a, const std::vector<double>& b) {
  constexpr std::size_t lanes = 8;
  std::array<double, lanes> sums{};
  std::size_t i = 0;
  for (; i + lanes <= a.size(); i += lanes)
    for (std::size_t j = 0; j < lanes; ++j) sums[j] += a[i + j] * b[i + j];
  double sum = 0;
  for (; i < a.size(); ++i) sum += a[i] * b[i];
  for (const double s : sums) sum += s;
  return sum;
}

// sum p (z - z') of one distribution, and its log normaliser, from logits that come one after another.
class expected_gap {
 public:
  void add(double z, double gap) {
    if (z > most_) {
      const double scale = std::exp(most_ - z);
      mass_ *= scale, gap_ *= scale, most_ = z;
    }
    const double p = std::exp(z - most_);
    mass_ += p;
    gap_ += p * gap;
  }
  double gap() const { return gap_ / mass_; }
  double log_mass() const { return most_ + std::log(mass_); }

 private:
  double most_ = -std::numeric_limits<double>::infinity(), mass_ = 0, gap_ = 0;
};

// Rounding may leave a trifle below 0; NaN stays.
double not_below_zero(double kl) { return kl < 0 ? 0 : kl; }

}  // namespace

std::vector<divergence> divergences(const readout_reference& model,
                                    std::span<const std::span<const float>> states,
                                    const readout_reference& other,
                                    std::span<const std::span<const float>> others, std::uint32_t n_tokens,
                                    const std::atomic<bool>& stop) {
  const inputs mine = inputs_of(model, states), theirs = inputs_of(other, others);
  std::vector<expected_gap> forward(mine.size()), reverse(mine.size());
  for (std::uint32_t t = 0; t < n_tokens && !stop; ++t) {
    const auto token = static_cast<std::int32_t>(t);
    const std::vector<double> row = model.unembedding(token), others_row = other.unembedding(token);
    for (std::size_t r = 0; r < mine.size(); ++r) {
      const double z = model.logit_of(product_of(mine[r], row), token);
      const double others_z = other.logit_of(product_of(theirs[r], others_row), token);
      forward[r].add(z, z - others_z);
      reverse[r].add(others_z, others_z - z);
    }
  }
  std::vector<divergence> out(mine.size());
  for (std::size_t r = 0; r < out.size(); ++r) {
    const double normalisers = forward[r].log_mass() - reverse[r].log_mass();
    out[r] = {not_below_zero(forward[r].gap() - normalisers), not_below_zero(reverse[r].gap() + normalisers)};
    if (!std::isfinite(out[r].forward) || !std::isfinite(out[r].reverse))
      out[r].forward = out[r].reverse = std::numeric_limits<double>::quiet_NaN();
  }
  return out;
}

}  // namespace depthlens
