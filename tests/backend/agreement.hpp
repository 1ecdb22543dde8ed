// SPDX-License-Identifier: Apache-2.0
// Runs a pack of sequences on a backend and compares every reading with the reference.
#pragma once

#include "backend_plugin.hpp"

#include "depthlens/reference/model.hpp"
#include "depthlens/reference/reading.hpp"
#include "depthlens/reference/weights_view.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace depthlens::testing {

using reference::row;

using sequences = std::vector<std::vector<std::int32_t>>;

// Random sequences of 1..longest ids, of which some begin alike.
inline sequences random_sequences(const model_shape& shape, std::size_t n, std::size_t longest,
                                  std::uint32_t seed) {
  std::mt19937 bits(seed);
  const auto below = [&bits](std::size_t end) { return static_cast<std::size_t>(bits() % end); };
  sequences out;
  for (std::size_t i = 0; i < n; ++i) {
    std::vector<std::int32_t> ids;
    if (i > 0 && below(2) == 0) {
      const auto& other = out[below(i)];
      ids.assign(other.begin(), other.begin() + static_cast<std::ptrdiff_t>(below(other.size() + 1)));
    }
    const std::size_t length = std::max(ids.size(), 1 + below(longest));
    while (ids.size() < length) ids.push_back(static_cast<std::int32_t>(below(shape.vocabulary)));
    out.push_back(std::move(ids));
  }
  return out;
}

// One lens as it was given to the backend.
using lens_spec = std::vector<transport_spec>;

inline lens_spec logit_lens(std::uint32_t n_layers) {
  lens_spec out;
  for (std::uint32_t i = 0; i <= n_layers; ++i) out.push_back({i});
  return out;
}

// Largest differences seen, absolute but for values above 1, and ranks that rounding cannot explain.
struct agreement {
  double logprob = 0, entropy = 0, kl = 0, top_logprob = 0;
  std::size_t readings = 0, wrong_ranks = 0, wrong_tops = 0;

  static double difference(float got, double want) {
    return std::abs(static_cast<double>(got) - want) / std::max(1.0, std::abs(want));
  }
};

// Logits that differ by less may come out in either order.
constexpr double rank_margin = 2e-5;

inline void compare_reading(const pack& p, const lens_readings& got, std::size_t read, std::size_t layer,
                            const reference::reading& want, const reference::reading& last, agreement& out) {
  const std::size_t at = read * got.layers + layer;
  out.entropy = std::max(out.entropy, agreement::difference(got.entropy[at], want.entropy));
  out.kl = std::max(out.kl, agreement::difference(got.kl[at], want.kl_from(last)));
  for (std::uint32_t k = p.target_begin[read]; k < p.target_begin[read + 1]; ++k) {
    const std::int32_t id = p.targets[k] < 0 ? last.best() : p.targets[k];
    const std::size_t cell = k * got.layers + layer;
    out.logprob = std::max(out.logprob, agreement::difference(got.logprob[cell], want.logprob(id)));
    const bool in_range =
        got.rank[cell] >= want.rank(id, rank_margin) && got.rank[cell] <= want.rank(id, -rank_margin);
    out.wrong_ranks += in_range ? 0 : 1;
    ++out.readings;
  }
  for (std::uint32_t j = 0; j < p.top_k; ++j) {
    const std::int32_t id = got.top[at * p.top_k + j];
    if (id < 0) continue;
    out.top_logprob =
        std::max(out.top_logprob, agreement::difference(got.top_logprob[at * p.top_k + j], want.logprob(id)));
    const bool in_place = want.rank(id, rank_margin) <= j + 1 && want.rank(id, -rank_margin) >= j + 1;
    out.wrong_tops += in_place ? 0 : 1;
  }
}

// All sequences in one pack, read at their last and a middle position.
inline agreement compare_with_reference(const random_model& weights, const sequences& texts,
                                        const std::vector<lens_spec>& lenses) {
  test_model model(weights);
  for (const lens_spec& l : lenses) model.add_lens(l);
  const auto other_id = static_cast<std::int32_t>(weights.shape.vocabulary / 2);
  pack p;
  p.long_positions = weights.shape.long_positions;
  std::vector<std::pair<std::size_t, std::size_t>> places;  // sequence, position
  for (std::size_t s = 0; s < texts.size(); ++s) {
    const auto path = p.add_sequence(texts[s]);
    for (const std::size_t position : {texts[s].size() - 1, texts[s].size() / 2}) {
      p.add_read(path[position], {-1, texts[s][0], other_id});
      places.emplace_back(s, position);
    }
  }
  const pack_readings got = model.forward(p);
  const reference::model expected(weights_view(weights).weights);
  agreement out;
  for (std::size_t read = 0; read < places.size(); ++read) {
    const auto residuals = expected.residuals(texts[places[read].first]);
    const reference::reading last(expected.logits(residuals.back()[places[read].second], {}));
    BOOST_TEST(last.rank(got.final_top[read], rank_margin) == 1u);
    for (std::size_t l = 0; l < lenses.size(); ++l) {
      for (std::size_t i = 0; i < lenses[l].size(); ++i) {
        const row& h = residuals[lenses[l][i].layer][places[read].second];
        compare_reading(p, got.lenses[l], read, i,
                        reference::reading(expected.logits(h, lenses[l][i].table())), last, out);
      }
    }
  }
  BOOST_TEST_MESSAGE("maxdiff logprob " << out.logprob << ", entropy " << out.entropy << ", kl " << out.kl
                                        << ", top " << out.top_logprob << " over " << out.readings
                                        << " readings");
  return out;
}

inline void expect_agreement(const agreement& got) {
  BOOST_TEST(got.readings > 0u);
  BOOST_TEST(got.wrong_ranks == 0u);
  BOOST_TEST(got.wrong_tops == 0u);
  BOOST_TEST(got.logprob <= 1e-5);
  BOOST_TEST(got.entropy <= 1e-5);
  BOOST_TEST(got.kl <= 1e-5);
  BOOST_TEST(got.top_logprob <= 1e-5);
}

}  // namespace depthlens::testing
