// SPDX-License-Identifier: Apache-2.0
// First and stable onset, the grids of k, and sums that do not depend on order.
#include "depthlens/study/depth_summary.hpp"
#include "depthlens/study/published.hpp"
#include "support/allocation_meter.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <limits>
#include <vector>

using namespace depthlens;

namespace {
const std::vector<std::int64_t> layers = {0, 1, 2, 3, 4};
}

BOOST_AUTO_TEST_SUITE(onset)

BOOST_AUTO_TEST_CASE(a_rank_that_falls_and_rises_has_two_onsets) {
  const std::vector<std::uint64_t> ranks = {50, 3, 20, 4, 1};
  BOOST_TEST(*first_onset(layers, ranks, 5) == 1);
  BOOST_TEST(*stable_onset(layers, ranks, 5) == 3);
  BOOST_TEST(*first_onset(layers, ranks, 50) == 0);
  BOOST_TEST(*stable_onset(layers, ranks, 50) == 0);
  BOOST_TEST(*stable_onset(layers, ranks, 1) == 4);
}

BOOST_AUTO_TEST_CASE(a_rank_that_is_lost_at_the_end_has_a_first_onset_only) {
  const std::vector<std::uint64_t> ranks = {50, 3, 20, 4, 9};
  BOOST_TEST(*first_onset(layers, ranks, 3) == 1);
  BOOST_TEST(!stable_onset(layers, ranks, 3).has_value());
  BOOST_TEST(!first_onset(layers, ranks, 2).has_value());
}

BOOST_AUTO_TEST_CASE(layers_without_a_reading_keep_their_numbers) {
  const std::vector<std::int64_t> some = {3, 7, 12};
  const std::vector<std::uint64_t> ranks = {9, 2, 1};
  BOOST_TEST(*first_onset(some, ranks, 2) == 7);
}

BOOST_AUTO_TEST_CASE(both_published_grids_have_154_values_and_differ_in_18) {
  const auto facts = facts_k_grid(), pos = pos_k_grid();
  BOOST_TEST(facts.size() == 154U);
  BOOST_TEST(pos.size() == 154U);
  BOOST_TEST(facts.back() == 10000U);
  BOOST_TEST(pos.back() == 10000U);
  std::vector<std::uint64_t> moved;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (facts[i] == pos[i]) continue;
    BOOST_TEST(pos[i] == facts[i] + 1);
    moved.push_back(facts[i]);
  }
  const std::vector<std::uint64_t> want = {373,  1304, 2072, 2273, 3001, 3292, 3448, 3962, 4552,
                                           4768, 5478, 6294, 6905, 7232, 8309, 8703, 9115, 9547};
  BOOST_TEST(moved == want, boost::test_tools::per_element());
  const std::vector<std::uint64_t> start(facts.begin() + 24, facts.begin() + 36);
  BOOST_TEST(start == std::vector<std::uint64_t>({25, 26, 28, 29, 30, 32, 33, 35, 36, 38, 40, 42}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_default_grid_also_has_the_round_numbers) {
  const auto grid = default_k_grid();
  for (const std::uint64_t k : {1, 5, 10, 50, 100, 500, 1000, 10000})
    BOOST_TEST(std::binary_search(grid.begin(), grid.end(), k));
}

BOOST_AUTO_TEST_CASE(a_curve_counts_who_never_gets_there) {
  onset_curve curve({1, 5}, 4);
  curve.add(layers, std::vector<std::uint64_t>{9, 9, 9, 9, 1});
  curve.add(layers, std::vector<std::uint64_t>{5, 9, 1, 1, 1});
  curve.add(layers, std::vector<std::uint64_t>{9, 9, 9, 9, 9});
  const onset_curve::point one = curve.at(0), five = curve.at(1);
  BOOST_TEST(one.n == 2U);
  BOOST_TEST(one.never == 1U);
  BOOST_TEST(*one.mean_first == 3.0);
  BOOST_TEST(*one.median_first == 3.0);
  BOOST_TEST(*one.std_first == 1.0);
  BOOST_TEST(*five.mean_first == 2.0);
  BOOST_TEST(*five.mean_stable == 3.0);
  BOOST_TEST(five.n_stable == 2U);
}

BOOST_AUTO_TEST_CASE(a_curve_that_nobody_reaches_has_no_means) {
  onset_curve curve({1}, 4);
  curve.add(layers, std::vector<std::uint64_t>{9, 9, 9, 9, 9});
  const onset_curve::point p = curve.at(0);
  BOOST_TEST(p.never == 1U);
  BOOST_TEST(!p.mean_first.has_value());
  BOOST_TEST(!p.mean_stable.has_value());
  BOOST_TEST(!p.median_first.has_value());
}

BOOST_AUTO_TEST_CASE(sums_do_not_depend_on_the_order) {
  std::vector<double> values;
  for (int i = 0; i < 1000; ++i) values.push_back(1.0 / (i + 1) * (i % 3 == 0 ? 1e6 : 1e-6));
  exact_sum forward, backward;
  for (const double v : values) forward.add(v);
  std::reverse(values.begin(), values.end());
  for (const double v : values) backward.add(v);
  BOOST_TEST(*forward.mean() == *backward.mean());
  double plain = 0;
  for (const double v : values) plain += v;
  BOOST_TEST(*forward.mean() == plain / 1000, boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(one_infinite_value_leaves_no_mean) {
  exact_sum sum;
  sum.add(1);
  sum.add(std::numeric_limits<double>::infinity());
  BOOST_TEST(!sum.mean().has_value());
  BOOST_TEST(!exact_sum().mean().has_value());
}

BOOST_AUTO_TEST_CASE(medians_of_many_ranks_are_exact) {
  rank_counts ranks;
  for (std::uint64_t i = 0; i < 5000; ++i) ranks.add(i * 7919 % 5000 + 1);  // each of 1..5000 once
  BOOST_TEST(ranks.median() == 2500.5);
  BOOST_TEST(ranks.mean() == 2500.5);
  ranks.add(2600);
  BOOST_TEST(ranks.median() == 2501.0);
  BOOST_TEST(ranks.quantile(0.25) == 1251.0);
  BOOST_TEST(ranks.quantile(1) == 5000.0);
}

BOOST_AUTO_TEST_CASE(a_layer_number_outside_of_the_model_is_an_error) {
  depth_summary summary({{"a"}}, {1}, 4);
  BOOST_CHECK_THROW(summary.add(0, {0, 0, 0, 0}, cluster_weights(1), {0, 5, {.rank = 1}}), error);
  BOOST_CHECK_THROW(summary.add(0, {0, 0, 0, 0}, cluster_weights(1), {0, -1, {.rank = 1}}), error);
}

BOOST_AUTO_TEST_CASE(a_column_is_found_by_its_id_in_the_rows_of_its_table) {
  const description d({{"other", "o", {{"x", DLENS_I64}}},
                       {"rows", "r", {{"name", DLENS_TEXT}, {"x", DLENS_I64}, {"y", DLENS_F32}}}},
                      {});
  const std::array values = {text_value("a"), i64_value(7), null_value()};
  const dlens_row row{.size = sizeof row, .table = 1, .values = values.data(), .n_values = values.size()};
  BOOST_TEST(d.column_of(1, "name").text(row) == "a");
  BOOST_TEST(d.column_of(1, "x").i64(row) == 7);
  BOOST_TEST(d.column_of(1, "y").is_null(row));
  BOOST_CHECK_THROW(d.column_of(0, "y"), error);
}

BOOST_AUTO_TEST_CASE(a_list_of_onsets_gives_back_what_a_plain_search_finds) {
  onset_list list;
  const std::vector<std::uint64_t> ids = {
      0, 1, 1, 300, 299, std::uint64_t{1} << 63, 5, std::numeric_limits<std::uint64_t>::max(), 0};
  std::vector<std::int64_t> layers;
  for (std::int64_t l = 0; l <= 200; ++l) layers.push_back(l);
  std::vector<std::vector<std::uint64_t>> ranks;
  for (std::size_t p = 0; p < ids.size(); ++p) {
    std::vector<std::uint64_t>& r = ranks.emplace_back();
    for (std::size_t l = 0; l <= 200; ++l)
      r.push_back(p == 3 ? 2000 : (l * 7919 + p * 104729) % 1500 * (200 - l) + 1);
    list.add(ids[p], layers, r);
  }
  BOOST_TEST(list.size() == ids.size());
  for (std::size_t i = 0; i < onset_list::thresholds; ++i) {
    std::size_t p = 0, with_first = 0;
    list.each(i, [&](std::uint64_t id, auto first, auto stable) {
      BOOST_TEST(id == ids.at(p));
      BOOST_TEST((first == first_onset(layers, ranks[p], density_thresholds[i])));
      BOOST_TEST((stable == stable_onset(layers, ranks[p], density_thresholds[i])));
      with_first += first.has_value();
      ++p;
    });
    BOOST_TEST(p == ids.size());
    BOOST_TEST(list.with_first(i) == with_first);
  }
}

BOOST_AUTO_TEST_CASE(a_prompt_takes_13_bytes_in_a_list_of_onsets) {
  const std::vector<std::int64_t> layers = {0, 1, 2};
  const std::vector<std::uint64_t> ranks = {700, 7, 1};
  const test::allocation_meter meter;
  onset_list list;
  for (std::uint64_t p = 0; p < 50000; ++p) list.add(p, layers, ranks);
  BOOST_TEST(meter.peak() < 50000U * 14 + (32U << 10));
}

BOOST_AUTO_TEST_CASE(published_layer_names_read_back) {
  BOOST_TEST(published_layer_name(8) == "model.layers.7");
  BOOST_TEST(published_layer_number("model.layers.7") == 7);
  BOOST_TEST(published_layer_number("transformer.h.12") == 12);
  BOOST_TEST(published_layer_number("embed") == -1);
}

BOOST_AUTO_TEST_SUITE_END()
