// SPDX-License-Identifier: Apache-2.0
// Intervals cover the truth as often as they say, whatever they are of, and do not depend on the order of
// rows.
#include "depthlens/study/resampling.hpp"
#include "depthlens/study/clustered.hpp"
#include "depthlens/study/clusters.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace {

using namespace depthlens;

// A sample: cluster and value of each row.
using sample = std::vector<std::pair<std::uint64_t, double>>;

std::optional<interval> ends_of_mean(const sample& rows) {
  clustered_rows all;
  clustered_mean mean(16);
  cluster_set clusters;
  for (const auto& [key, value] : rows) {
    const cluster_weights of(key);
    all.add(of), mean.add(of, value), clusters.add(key, {});
  }
  return mean.ends(all, clusters.size());
}

std::optional<interval> ends_of_share(const sample& rows) {
  clustered_rows all;
  clustered_share share;
  cluster_set clusters;
  for (const auto& [key, value] : rows) {
    const cluster_weights of(key);
    all.add(of), share.add(of, value > 0), clusters.add(key, {});
  }
  return share.ends(all, clusters.size());
}

// In how many of 1,000 samples does the interval hold the truth, in per cent?
double coverage(double truth, const std::function<std::optional<interval>(const sample&)>& ends,
                const std::function<sample(std::mt19937_64&)>& draw) {
  std::mt19937_64 random(7);
  int held = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::optional<interval> e = ends(draw(random));
    held += e && e->low <= truth && truth <= e->high ? 1 : 0;
  }
  return held / 10.0;
}

// Numbers that are the same on every platform.
double uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }
double normal(std::mt19937_64& random) {
  return std::sqrt(-2 * std::log(1 - uniform(random))) * std::cos(2 * 3.141592653589793 * uniform(random));
}

sample rows_of(std::mt19937_64& random, std::size_t n, const std::function<double(std::mt19937_64&)>& value) {
  sample out;
  for (std::size_t i = 0; i < n; ++i) out.emplace_back(random(), value(random));
  return out;
}

void check_coverage(const char* of, double percent) {
  BOOST_TEST_MESSAGE("coverage of " << of << ": " << percent << " %");
  BOOST_TEST(percent >= 93);
  BOOST_TEST(percent <= 97);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(intervals_by_resampling)

BOOST_AUTO_TEST_CASE(the_mean_of_normal_values_is_covered_as_often_as_promised) {
  check_coverage("a mean of 60 normal values", coverage(5, ends_of_mean, [](auto& random) {
                   return rows_of(random, 60, [](auto& r) { return 5 + normal(r); });
                 }));
}

BOOST_AUTO_TEST_CASE(the_mean_of_few_values_is_covered_as_often_as_promised) {
  check_coverage("a mean of 12 uniform values",
                 coverage(0.5, ends_of_mean, [](auto& random) { return rows_of(random, 12, uniform); }));
}

BOOST_AUTO_TEST_CASE(the_mean_of_skewed_values_is_covered_as_often_as_promised) {
  check_coverage("a mean of 150 exponential values", coverage(1, ends_of_mean, [](auto& random) {
                   return rows_of(random, 150, [](auto& r) { return -std::log(1 - uniform(r)); });
                 }));
}

BOOST_AUTO_TEST_CASE(a_share_is_covered_as_often_as_promised) {
  check_coverage("a share of 80 prompts, 0.3", coverage(0.3, ends_of_share, [](auto& random) {
                   return rows_of(random, 80, [](auto& r) { return uniform(r) < 0.3 ? 1 : 0; });
                 }));
}

BOOST_AUTO_TEST_CASE(rows_that_share_a_cluster_are_not_taken_for_independent_ones) {
  // 40 clusters of 1 to 9 rows with a part that all rows of a cluster have.
  const auto draw = [](std::mt19937_64& random) {
    sample out;
    for (int c = 0; c < 40; ++c) {
      const std::uint64_t key = random(), n = 1 + random() % 9;
      const double common = normal(random);
      for (std::uint64_t i = 0; i < n; ++i) out.emplace_back(key, 8 + common + 0.5 * normal(random));
    }
    return out;
  };
  check_coverage("a mean of 40 clusters of 1 to 9 rows", coverage(8, ends_of_mean, draw));
  const auto each_alone = [](const sample& rows) {
    sample alone = rows;
    std::uint64_t key = 0;
    for (auto& row : alone) row.first = row.first * 1000003 + ++key;
    return ends_of_mean(alone);
  };
  BOOST_TEST(coverage(8, each_alone, draw) < 80);
}

BOOST_AUTO_TEST_CASE(a_cluster_is_drawn_as_a_poisson_number_says) {
  std::map<std::uint32_t, int> seen;
  std::mt19937_64 random(11);
  for (int i = 0; i < 1000; ++i) {
    const cluster_weights of(random());
    for (const std::uint32_t w : of.all()) ++seen[w];
  }
  BOOST_TEST(std::abs(seen[0] - 367879) < 2500);
  BOOST_TEST(std::abs(seen[1] - 367879) < 2500);
  BOOST_TEST(std::abs(seen[2] - 183940) < 2000);
  BOOST_TEST(std::abs(seen[3] - 61313) < 1200);
}

BOOST_AUTO_TEST_CASE(the_order_of_rows_does_not_matter) {
  std::mt19937_64 random(3);
  sample rows = rows_of(random, 200, uniform);
  for (std::size_t i = 0; i < 100; ++i) rows[i + 100].first = rows[i].first;
  const interval one = *ends_of_mean(rows);
  std::reverse(rows.begin(), rows.end());
  const interval other = *ends_of_mean(rows);
  BOOST_TEST(one.low == other.low);
  BOOST_TEST(one.high == other.high);
}

BOOST_AUTO_TEST_CASE(one_cluster_has_no_interval_and_two_a_wide_one) {
  BOOST_TEST(!ends_of_mean({{1, 0.5}, {1, 0.7}}).has_value());
  const std::optional<interval> two = ends_of_mean({{1, 0.25}, {2, 0.75}});
  BOOST_REQUIRE(two.has_value());
  BOOST_TEST(two->low == 0.25);
  BOOST_TEST(two->high == 0.75);
}

BOOST_AUTO_TEST_CASE(a_share_of_prompts_that_share_nothing_has_the_interval_of_wilson) {
  sample rows;
  for (std::uint64_t i = 0; i < 10; ++i) rows.emplace_back(i + 1, i < 3 ? 1 : 0);
  const std::optional<interval> ends = ends_of_share(rows);
  BOOST_REQUIRE(ends.has_value());
  BOOST_TEST(std::abs(ends->low - 0.1077912674) < 1e-9);
  BOOST_TEST(std::abs(ends->high - 0.6032218525) < 1e-9);
  BOOST_TEST(wilson(0, 10).low == 0);
  BOOST_TEST(wilson(10, 10).high == 1);
}

BOOST_AUTO_TEST_CASE(clusters_that_agree_in_everything_still_leave_doubt) {
  sample rows;
  for (std::uint64_t i = 0; i < 40; ++i) rows.emplace_back(i % 8 + 1, 1);
  const std::optional<interval> ends = ends_of_share(rows);
  BOOST_REQUIRE(ends.has_value());
  BOOST_TEST(ends->low == wilson(8, 8).low);
  BOOST_TEST(ends->high == 1);
}

BOOST_AUTO_TEST_CASE(different_clusters_are_counted_once_whatever_their_order) {
  cluster_minima<1> some, others;
  cluster_cells cells(70);
  std::set<std::uint64_t> keys;
  std::mt19937_64 random(5);
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t key = random() % 3000;
    keys.insert(key);
    some.add(key, {static_cast<std::uint32_t>(key % 10)});
    cells.add(key, key % 70);
    if (key < 1000) others.add(key + 2500, {0});
  }
  BOOST_TEST(some.size() == keys.size());
  BOOST_TEST(some.up_to(0, 4) == static_cast<std::uint64_t>(std::count_if(
                                     keys.begin(), keys.end(), [](auto key) { return key % 10 <= 4; })));
  std::set<std::uint64_t> both = keys;
  for (const std::uint64_t key : keys)
    if (key < 1000) both.insert(key + 2500);
  BOOST_TEST(some.size_with(others) == both.size());
  const std::vector<std::uint64_t> counts = cells.counts();
  for (std::uint64_t cell = 0; cell < 70; ++cell)
    BOOST_TEST(counts[cell] == static_cast<std::uint64_t>(std::count_if(
                                   keys.begin(), keys.end(), [&](auto key) { return key % 70 == cell; })));
}

BOOST_AUTO_TEST_CASE(values_become_whole_steps) {
  BOOST_TEST(in_steps(0.5, 4) == 8U);
  BOOST_TEST(in_steps(-1, 4) == 0U);
  BOOST_TEST(in_steps(1e30, 4) == 0xFFFFFFFFU);
  BOOST_TEST(in_steps(std::nan(""), 4) == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
