// SPDX-License-Identifier: Apache-2.0
// Means and bootstrap intervals of a lens's distance from the output.
#include "commands/lens_scores.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

BOOST_AUTO_TEST_SUITE(lens_evaluation)

using namespace depthlens;

BOOST_AUTO_TEST_CASE(means_weigh_parts_by_their_positions) {
  const std::vector<part_sums> parts = {{1, {{4, 8, 1}}}, {3, {{0, 4, 0}}}, {0, {{0, 0, 0}}}};
  const std::vector<layer_score> scores = score_layers({7}, parts);
  BOOST_REQUIRE_EQUAL(scores.size(), 1u);
  BOOST_TEST(scores[0].layer == 7);
  BOOST_TEST(scores[0].positions == 4u);
  BOOST_TEST(scores[0].kl.mean == 1.0);
  BOOST_TEST(scores[0].bits.mean == 3.0);
  BOOST_TEST(scores[0].agreement.mean == 0.25);
  BOOST_TEST(scores[0].kl.low.value() == 0.0);
  BOOST_TEST(scores[0].kl.high.value() == 4.0);
}

BOOST_AUTO_TEST_CASE(intervals_hold_the_mean_and_are_the_same_again) {
  std::vector<part_sums> parts;
  for (int i = 0; i < 40; ++i)
    parts.push_back({2, {{static_cast<double>(i % 7), static_cast<double>(i % 5), 1}}});
  const layer_score one = score_layers({0}, parts)[0], two = score_layers({0}, parts)[0];
  BOOST_TEST(one.kl.low.value() < one.kl.mean);
  BOOST_TEST(one.kl.mean < one.kl.high.value());
  BOOST_TEST(one.kl.low.value() == two.kl.low.value());
  BOOST_TEST(one.kl.high.value() == two.kl.high.value());
  // Two standard errors of the mean of 40 parts.
  BOOST_TEST(*one.kl.high - *one.kl.low > 0.4);
  BOOST_TEST(*one.kl.high - *one.kl.low < 0.9);
  BOOST_TEST(one.agreement.low.value() == 0.5);
  BOOST_TEST(one.agreement.high.value() == 0.5);
}

BOOST_AUTO_TEST_CASE(one_part_has_means_and_no_intervals) {
  const std::vector<part_sums> parts = {{0, {{0, 0, 0}}}, {4, {{4, 12, 1}}}};
  const layer_score score = score_layers({7}, parts).at(0);
  BOOST_TEST(score.kl.mean == 1.0);
  for (const interval& i : {score.kl, score.bits, score.agreement}) {
    BOOST_TEST(!i.low.has_value());
    BOOST_TEST(!i.high.has_value());
  }
}

BOOST_AUTO_TEST_SUITE_END()
