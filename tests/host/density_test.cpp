// SPDX-License-Identifier: Apache-2.0
// The kernel density against numbers of scipy 1.17.1, gaussian_kde(values)(x) and its sqrt(covariance).
#include "figures/density.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>
#include <map>
#include <utility>
#include <vector>

using depthlens::counted_value;
using depthlens::kernel_density;

namespace {

const auto tight = boost::test_tools::tolerance(1e-12);

kernel_density density_of(const std::vector<double>& values) {
  std::map<double, double> counts;
  for (const double value : values) ++counts[value];
  std::vector<counted_value> counted;
  for (const auto& [value, count] : counts) counted.push_back({value, count});
  return kernel_density(std::move(counted));
}

struct reference {
  std::vector<double> values;
  double bandwidth;
  std::vector<double> at_0_5_7h_30;  // density at 0, 5, 7.5, 30
};

const std::vector<reference> references = {
    {{3, 5, 5, 8, 13},
     2.825711330866522,
     {0.028387159410287056, 0.09503783014845343, 0.07817371066927277, 3.901975148112985e-10}},
    {{0, 0, 0, 1}, 0.3789291416275995, {0.7977020308318997, 1.672909677760381e-25, 3.354017919216609e-65, 0}},
    {{0.25, -1.5, 7.125, 2, 2, 30},
     8.24542277009684,
     {0.03721425327993464, 0.0357179185707547, 0.031084512827608927, 0.00830381031536949}}};

}  // namespace

BOOST_AUTO_TEST_SUITE(density)

BOOST_AUTO_TEST_CASE(density_and_bandwidth_are_those_of_scipy) {
  for (const reference& r : references) {
    const kernel_density density = density_of(r.values);
    BOOST_REQUIRE(density.exists());
    BOOST_TEST(density.bandwidth() == r.bandwidth, tight);
    const std::vector<double> found = {density.at(0), density.at(5), density.at(7.5), density.at(30)};
    BOOST_TEST(found == r.at_0_5_7h_30, tight << boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(density_does_not_depend_on_the_order_of_the_values) {
  const kernel_density a({{1, 1}, {2, 2}, {7, 1}, {30, 1}}), b({{30, 1}, {2, 2}, {7, 1}, {1, 1}});
  for (const double x : {0.0, 2.5, 29.0}) BOOST_TEST(a.at(x) == b.at(x));
}

BOOST_AUTO_TEST_CASE(density_is_one_over_the_whole_line) {
  const kernel_density density = density_of({4, 4, 9, 12.5, 20});
  double sum = 0;
  for (double x = -100; x < 130; x += 0.01) sum += density.at(x) * 0.01;
  BOOST_TEST(sum == 1.0, boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(density_exists_for_two_values_that_differ_only) {
  BOOST_TEST(!kernel_density({}).exists());
  BOOST_TEST(!kernel_density({{3, 1}}).exists());
  BOOST_TEST(!kernel_density({{3, 3}}).exists());
  BOOST_TEST(kernel_density({{3, 3}}).count() == 3);
  BOOST_TEST(kernel_density({{3, 1}, {4, 1}}).exists());
  constexpr double largest = std::numeric_limits<double>::max();
  BOOST_TEST(!kernel_density({{-largest, 1}, {largest, 1}}).exists());
}

BOOST_AUTO_TEST_SUITE_END()
