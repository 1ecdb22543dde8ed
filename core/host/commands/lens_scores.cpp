// SPDX-License-Identifier: Apache-2.0
#include "commands/lens_scores.hpp"

#include <algorithm>
#include <cstddef>

namespace depthlens {
namespace {

// splitmix64: the same draws on every platform.
class generator {
 public:
  std::size_t below(std::size_t n) {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return static_cast<std::size_t>((z ^ (z >> 31)) % n);
  }

 private:
  std::uint64_t state_ = 42;
};

using triple = std::array<double, 3>;

// Means of the measures of one layer over the given parts.
triple means_of(const std::vector<part_sums>& parts, const std::vector<std::size_t>& chosen,
                std::size_t layer) {
  triple sum{};
  double n = 0;
  for (const std::size_t p : chosen) {
    n += static_cast<double>(parts[p].positions);
    for (std::size_t m = 0; m < sum.size(); ++m) sum[m] += parts[p].sums[layer][m];
  }
  for (double& s : sum) s /= n;
  return sum;
}

}  // namespace

std::vector<layer_score> score_layers(const std::vector<std::int32_t>& layers,
                                      const std::vector<part_sums>& parts, unsigned draws) {
  std::vector<std::size_t> all;
  std::uint64_t positions = 0;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    if (parts[p].positions == 0) continue;
    all.push_back(p);
    positions += parts[p].positions;
  }
  generator random;
  std::vector<std::vector<std::size_t>> samples(all.size() > 1 ? draws : 0);
  for (auto& sample : samples)
    for (std::size_t i = 0; i < all.size(); ++i) sample.push_back(all[random.below(all.size())]);
  std::vector<layer_score> out;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    std::array<std::vector<double>, 3> drawn;
    for (const auto& sample : samples) {
      const triple means = means_of(parts, sample, l);
      for (std::size_t m = 0; m < means.size(); ++m) drawn[m].push_back(means[m]);
    }
    const triple means = means_of(parts, all, l);
    const auto made = [&](std::size_t m) {
      std::vector<double>& sorted = drawn[m];
      if (sorted.empty()) return interval{means[m]};
      std::sort(sorted.begin(), sorted.end());
      const auto at = [&](double share) {
        return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
      };
      return interval{means[m], at(0.025), at(0.975)};
    };
    out.push_back(
        {.layer = layers[l], .positions = positions, .kl = made(0), .bits = made(1), .agreement = made(2)});
  }
  return out;
}

}  // namespace depthlens
