// SPDX-License-Identifier: Apache-2.0
// The steps that are kept give what a plain count over prompts and thresholds gives, in every resample.
#include "depthlens/study/onset_intervals.hpp"
#include "depthlens/study/onset.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

namespace {

using namespace depthlens;

struct prompt {
  std::uint64_t cluster;
  std::vector<std::uint64_t> ranks;
};

const std::vector<std::int64_t> layers = {0, 1, 2, 3, 4, 5, 6};

std::vector<prompt> some_prompts(std::uint64_t seed, std::size_t n) {
  std::mt19937_64 random(seed);
  std::vector<prompt> out(n);
  for (prompt& p : out) {
    p.cluster = random() % (n / 3) + 1;
    for (std::size_t i = 0; i < layers.size(); ++i)
      p.ranks.push_back(1 + random() % (std::uint64_t{1} << (2 * (layers.size() - i))));
  }
  return out;
}

onset_intervals intervals_of(const std::vector<prompt>& prompts) {
  onset_intervals out(default_k_grid(), 6);
  for (const prompt& p : prompts) out.add(cluster_weights(p.cluster), layers, p.ranks);
  return out;
}

// The interval of the mean of value(prompt) over the prompts that have one, from a sum for each resample.
template <class Value>
std::optional<interval> plain(const std::vector<prompt>& prompts, const Value& value) {
  resampled_sum values, rows;
  cluster_set clusters;
  for (const prompt& p : prompts) {
    const std::optional<std::int64_t> v = value(p);
    if (!v) continue;
    const cluster_weights of(p.cluster);
    values.add(of, static_cast<std::uint32_t>(*v));
    rows.add(of);
    clusters.add(p.cluster, {});
  }
  return ratios(values, rows).ends(clusters.size());
}

void check_equal(const std::optional<interval>& a, const std::optional<interval>& b) {
  BOOST_REQUIRE(a.has_value() == b.has_value());
  if (!a) return;
  BOOST_TEST(a->low == b->low);
  BOOST_TEST(a->high == b->high);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(intervals_of_onsets)

BOOST_AUTO_TEST_CASE(they_are_those_of_every_threshold_by_itself) {
  const std::vector<prompt> prompts = some_prompts(1, 60);
  const std::vector<std::uint64_t> grid = default_k_grid();
  onset_intervals all = intervals_of(prompts);
  all.each_point([&](std::size_t g, const onset_intervals::point& at) {
    if (g % 9 != 0 && g != 1) return;
    const std::uint64_t k = grid[g];
    check_equal(at.first, plain(prompts, [&](const prompt& p) { return first_onset(layers, p.ranks, k); }));
    check_equal(at.stable, plain(prompts, [&](const prompt& p) { return stable_onset(layers, p.ranks, k); }));
    check_equal(at.survival, plain(prompts, [&](const prompt& p) {
                  return std::optional(first_onset(layers, p.ranks, k).value_or(6));
                }));
  });
}

BOOST_AUTO_TEST_CASE(shares_by_layer_are_those_of_the_prompts_that_are_there) {
  const std::vector<prompt> prompts = some_prompts(2, 60);
  onset_intervals all = intervals_of(prompts);
  onset_curve curve(default_k_grid(), 6);
  for (const prompt& p : prompts) curve.add(layers, p.ranks);
  all.each_share(curve, [&](std::uint64_t k, std::int64_t layer, std::uint64_t part,
                            const std::optional<interval>& ends) {
    std::uint64_t there = 0;
    const auto is_there = [&](const prompt& p) {
      const auto first = first_onset(layers, p.ranks, k);
      return std::optional<std::int64_t>(first && *first <= layer ? 1 : 0);
    };
    for (const prompt& p : prompts) there += static_cast<std::uint64_t>(*is_there(p));
    BOOST_TEST(part == there);
    if (there > 0 && there < prompts.size()) check_equal(ends, plain(prompts, is_there));
  });
}

BOOST_AUTO_TEST_CASE(two_categories_over_the_same_clusters_differ_by_what_is_theirs_alone) {
  std::vector<prompt> early = some_prompts(3, 60), late = early;
  for (prompt& p : late)
    for (std::uint64_t& rank : p.ranks) rank *= 4;
  onset_intervals a = intervals_of(late), b = intervals_of(early);
  resampled_values difference = a.difference(b, 5);
  BOOST_TEST(*difference.above_zero() > 0.99);
  const interval ends = *difference.ends(a.clusters_with(b));
  BOOST_TEST(ends.low > 0);
  BOOST_TEST(a.clusters_with(b) == a.clusters());
  resampled_values none = a.difference(a, 5);
  BOOST_TEST(*none.above_zero() == 0.5);
}

BOOST_AUTO_TEST_CASE(prompts_that_never_get_there_count_as_the_last_layer) {
  onset_curve curve({1, 5}, 6);
  curve.add(layers, std::vector<std::uint64_t>{9, 9, 1, 9, 9, 9, 9});
  curve.add(layers, std::vector<std::uint64_t>{9, 9, 9, 9, 9, 9, 9});
  curve.add(layers, std::vector<std::uint64_t>{9, 9, 9, 9, 1, 1, 1});
  const onset_curve::point at = curve.at_k(1);
  BOOST_TEST(*at.survival_mean == 4);
  BOOST_TEST(*at.survival_median == 4);
  curve.add(layers, std::vector<std::uint64_t>{9, 9, 9, 9, 9, 9, 9});
  BOOST_TEST(!curve.at_k(1).survival_median.has_value());
}

BOOST_AUTO_TEST_SUITE_END()
