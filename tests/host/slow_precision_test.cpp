// SPDX-License-Identifier: Apache-2.0
// Where bf16 is the slower choice: known from the processor, or from measured rates.
#include "model/slow_precision.hpp"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(slow_precisions)

using depthlens::slow_precision;

BOOST_AUTO_TEST_CASE(bf16_is_slow_on_a_processor_without_its_instructions) {
  BOOST_TEST(slow_precision("bf16", "cpu (v3), oneDNN", false).has_value());
  BOOST_TEST(!slow_precision("bf16", "cpu (v4), oneDNN", true).has_value());
  BOOST_TEST(!slow_precision("f32", "cpu (v3), oneDNN", false).has_value());
  BOOST_TEST(!slow_precision("bf16", "cuda:0, libtorch", false).has_value());
}

BOOST_AUTO_TEST_CASE(a_precision_is_slow_whose_products_were_measured_so) {
  BOOST_TEST(slow_precision("bf16", 50e9, 100e9)->find("50 GFLOP/s in bf16 and 100 in f32") !=
             std::string::npos);
  BOOST_TEST(!slow_precision("bf16", 200e9, 100e9).has_value());
  BOOST_TEST(!slow_precision("bf16", 0.0, 100e9).has_value());
  BOOST_TEST(!slow_precision("f32", 100e9, 100e9).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
