// SPDX-License-Identifier: Apache-2.0
// Whether readings of two packs are the same: to the bit, or, for a backend whose products depend on their
// shape (DEPTHLENS_TEST_NEARLY=1 says so), up to rounding.
#pragma once

#include "agreement.hpp"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <vector>

namespace depthlens::testing {

inline bool only_nearly() {
  const char* said = std::getenv("DEPTHLENS_TEST_NEARLY");
  return said && *said == '1';
}

// Where rounding may have exchanged two neighbours: ranks by one or half a percent, ties and ids by anything.
template <class T>
inline bool nearly(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return std::abs(a - b) <= 2e-5f * std::max(1.0f, std::abs(a)) || (std::isnan(a) && std::isnan(b));
  else
    return std::abs(static_cast<double>(a) - static_cast<double>(b)) <=
           std::max(1.0, 0.005 * static_cast<double>(a));
}

template <class T>
inline bool same_values(const std::vector<T>& a, std::size_t at_a, const std::vector<T>& b, std::size_t at_b,
                        std::size_t n) {
  if (n == 0) return true;
  if (!only_nearly()) return std::memcmp(a.data() + at_a * n, b.data() + at_b * n, n * sizeof(T)) == 0;
  for (std::size_t i = 0; i < n; ++i)
    if (!nearly(a[at_a * n + i], b[at_b * n + i])) return false;
  return true;
}

// Read `a` of one pack equals read `b` of another: all targets, layers and lenses.
inline bool same_read(const pack& pa, const pack_readings& ra, std::size_t a, const pack& pb,
                      const pack_readings& rb, std::size_t b) {
  bool same = ra.final_top[a] == rb.final_top[b];
  for (std::size_t l = 0; l < ra.lenses.size(); ++l) {
    const lens_readings &x = ra.lenses[l], &y = rb.lenses[l];
    const std::size_t n = x.layers;
    same = same && same_values(x.entropy, a, y.entropy, b, n) && same_values(x.kl, a, y.kl, b, n) &&
           (only_nearly() || same_values(x.top, a, y.top, b, n * pa.top_k)) &&
           same_values(x.top_logprob, a, y.top_logprob, b, n * pa.top_k);
    const std::size_t n_targets = pa.target_begin[a + 1] - pa.target_begin[a];
    for (std::size_t k = 0; k < n_targets; ++k) {
      const std::size_t ka = pa.target_begin[a] + k, kb = pb.target_begin[b] + k;
      same = same && same_values(x.rank, ka, y.rank, kb, n) &&
             (only_nearly() || same_values(x.ties, ka, y.ties, kb, n)) &&
             same_values(x.logprob, ka, y.logprob, kb, n);
    }
  }
  return same;
}

// A pack that reads the last position of every text. long_positions: of the model.
inline pack pack_of(const sequences& texts, std::uint32_t long_positions = 0) {
  pack p;
  p.long_positions = long_positions;
  for (const auto& ids : texts) p.add_read(p.add_sequence(ids).back(), {-1, ids[0]});
  return p;
}

// How many texts read alone differ from the same texts read together.
inline std::size_t count_differences(const test_model& model, const sequences& texts, const pack& together,
                                     const pack_readings& readings) {
  std::size_t different = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const pack alone = pack_of({texts[i]}, together.long_positions);
    different += same_read(alone, model.forward(alone), 0, together, readings, i) ? 0 : 1;
  }
  return different;
}

}  // namespace depthlens::testing
