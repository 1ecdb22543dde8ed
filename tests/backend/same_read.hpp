// SPDX-License-Identifier: Apache-2.0
// Whether readings of two packs are the same to the bit.
#pragma once

#include "agreement.hpp"

#include <cstring>
#include <vector>

namespace depthlens::testing {

template <class T>
inline bool same_bits(const std::vector<T>& a, std::size_t at_a, const std::vector<T>& b, std::size_t at_b,
                      std::size_t n) {
  return n == 0 || std::memcmp(a.data() + at_a * n, b.data() + at_b * n, n * sizeof(T)) == 0;
}

// Read `a` of one pack equals read `b` of another: all targets, layers and lenses.
inline bool same_read(const pack& pa, const pack_readings& ra, std::size_t a, const pack& pb,
                      const pack_readings& rb, std::size_t b) {
  bool same = ra.final_top[a] == rb.final_top[b];
  for (std::size_t l = 0; l < ra.lenses.size(); ++l) {
    const lens_readings &x = ra.lenses[l], &y = rb.lenses[l];
    const std::size_t n = x.layers;
    same = same && same_bits(x.entropy, a, y.entropy, b, n) && same_bits(x.kl, a, y.kl, b, n) &&
           same_bits(x.top, a, y.top, b, n * pa.top_k) &&
           same_bits(x.top_logprob, a, y.top_logprob, b, n * pa.top_k);
    const std::size_t n_targets = pa.target_begin[a + 1] - pa.target_begin[a];
    for (std::size_t k = 0; k < n_targets; ++k) {
      const std::size_t ka = pa.target_begin[a] + k, kb = pb.target_begin[b] + k;
      same = same && same_bits(x.rank, ka, y.rank, kb, n) && same_bits(x.ties, ka, y.ties, kb, n) &&
             same_bits(x.logprob, ka, y.logprob, kb, n);
    }
  }
  return same;
}

// A pack that reads the last position of every text.
inline pack pack_of(const sequences& texts) {
  pack p;
  for (const auto& ids : texts) p.add_read(p.add_sequence(ids).back(), {-1, ids[0]});
  return p;
}

// How many texts read alone differ from the same texts read together.
inline std::size_t count_differences(const test_model& model, const sequences& texts, const pack& together,
                                     const pack_readings& readings) {
  std::size_t different = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const pack alone = pack_of({texts[i]});
    different += same_read(alone, model.forward(alone), 0, together, readings, i) ? 0 : 1;
  }
  return different;
}

}  // namespace depthlens::testing
