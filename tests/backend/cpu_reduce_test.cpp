// SPDX-License-Identifier: Apache-2.0
// The cpu backend's streaming reduction of logits against sums in double precision over the whole row.
#include "plugins/kernels/reduce.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

BOOST_AUTO_TEST_SUITE(cpu_reduce)

namespace {

using namespace depthlens;
using namespace depthlens::cpu;

constexpr std::size_t width = 960;

// Reduces a row in tiles; kind and weights as in the readout.
row_state reduce_row(const std::vector<float>& z, row_kind kind, std::vector<float>& weights, row_state row) {
  for (std::size_t first = 0; first < z.size(); first += width) {
    const std::size_t n = std::min(width, z.size() - first);
    baseline::reduce_tile({.logits = z.data() + first,
                           .n = n,
                           .first_id = static_cast<std::int32_t>(first),
                           .kind = kind,
                           .final_weights = weights.data() + first},
                          row);
  }
  return row;
}

struct exact {
  double log_sum, entropy, kl;
};

exact exact_of(const std::vector<float>& z, const std::vector<float>& last) {
  const auto log_sum = [](const std::vector<float>& x) {
    const double highest = static_cast<double>(*std::max_element(x.begin(), x.end()));
    long double sum = 0;
    for (const float v : x) sum += std::exp(static_cast<double>(v) - highest);
    return highest + std::log(static_cast<double>(sum));
  };
  exact out{log_sum(z), 0, 0};
  const double last_sum = log_sum(last);
  for (std::size_t i = 0; i < z.size(); ++i) {
    const double p = static_cast<double>(z[i]) - out.log_sum, q = static_cast<double>(last[i]) - last_sum;
    out.entropy -= std::exp(p) * p;
    out.kl += std::exp(q) * (q - p);
  }
  return out;
}

// Largest error of log-sum, entropy and kl over 1e-6 relative, for a row and a final row.
double worst_error(const std::vector<float>& z, const std::vector<float>& last) {
  std::vector<float> weights(z.size());
  row_state start;
  start.maximum = *std::max_element(last.begin(), last.end());
  const row_state f = reduce_row(last, row_kind::final, weights, start);
  const row_state r = reduce_row(z, row_kind::layer, weights, row_state{});
  const auto log_sum = [](const row_state& s) { return static_cast<double>(s.maximum) + std::log(s.sum); };
  const auto cross = [&](const row_state& s) {
    return s.crossed / f.sum + static_cast<double>(s.centre) - log_sum(s);
  };
  const exact want = exact_of(z, last);
  const auto error = [](double got, double wanted) {
    return std::abs(got - wanted) - 1e-6 * std::abs(wanted);
  };
  return std::max({error(log_sum(r), want.log_sum), error(std::log(r.sum) - r.weighted / r.sum, want.entropy),
                   error(cross(f) - cross(r), want.kl)});
}

std::vector<float> random_row(std::size_t n, float spread, std::uint32_t seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> noise(-2, spread);
  std::vector<float> z(n);
  for (float& x : z) x = noise(bits);
  return z;
}

}  // namespace

BOOST_AUTO_TEST_CASE(sums_are_within_two_millionths_of_double_precision) {
  double worst = -1;
  for (const std::size_t n : {7u, 960u, 961u, 50257u, 151936u}) {
    for (const float spread : {0.01f, 1.0f, 3.0f, 12.0f}) {
      std::vector<float> z = random_row(n, spread, 1), last = random_row(n, 3.0f, 2);
      worst = std::max(worst, worst_error(z, last));
      std::sort(z.begin(), z.end());  // the maximum rises in every tile
      worst = std::max(worst, worst_error(z, last));
      std::sort(z.rbegin(), z.rend());
      worst = std::max(worst, worst_error(z, last));
    }
  }
  BOOST_TEST_MESSAGE("worst error beyond 1e-6 relative: " << worst);
  BOOST_TEST(worst <= 2e-6);
}

BOOST_AUTO_TEST_CASE(top_and_counts_equal_those_of_a_sorted_row) {
  std::vector<float> z = random_row(5000, 3.0f, 3);
  for (std::size_t i = 0; i < z.size(); i += 7) z[i] = std::round(z[i]);  // many equal logits
  std::vector<std::int32_t> order(z.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int32_t>(i);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return z[static_cast<std::size_t>(a)] > z[static_cast<std::size_t>(b)];
  });
  std::vector<float> weights(z.size());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < z.size(); i += 100) {
    target_state target{z[static_cast<std::size_t>(order[i])], 0, 0};
    std::vector<top_entry> top(64);
    row_state start;
    start.targets = &target;
    start.n_targets = 1;
    start.top = top.data();
    start.top_k = static_cast<std::uint32_t>(1 + i % 64);
    const row_state got = reduce_row(z, row_kind::layer, weights, start);
    const auto above = std::count_if(z.begin(), z.end(), [&](float x) { return x > target.logit; });
    wrong += target.above == static_cast<std::uint32_t>(above) ? 0 : 1;
    wrong += target.equal == static_cast<std::uint32_t>(std::count(z.begin(), z.end(), target.logit)) ? 0 : 1;
    wrong += got.n_top == got.top_k ? 0 : 1;
    for (std::size_t j = 0; j < got.top_k; ++j) wrong += top[j].id == order[j] ? 0 : 1;
  }
  BOOST_TEST(wrong == 0u);
}

BOOST_AUTO_TEST_CASE(infinite_logits_do_not_spoil_the_counts) {
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> z = random_row(2000, 3.0f, 4), weights(z.size());
  std::fill(z.begin(), z.begin() + 1000, -infinity);  // a whole tile
  target_state target{z[1500], 0, 0};
  row_state start;
  start.targets = &target;
  start.n_targets = 1;
  const row_state got = reduce_row(z, row_kind::layer, weights, start);
  const auto above = std::count_if(z.begin(), z.end(), [&](float x) { return x > target.logit; });
  BOOST_TEST(target.above == static_cast<std::uint32_t>(above));
  BOOST_TEST(std::isfinite(got.sum));
  BOOST_TEST(got.sum >= 1.0);
  BOOST_TEST(std::isfinite(got.weighted));
}

BOOST_AUTO_TEST_SUITE_END()
