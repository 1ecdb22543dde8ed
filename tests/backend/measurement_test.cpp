// SPDX-License-Identifier: Apache-2.0
// The optional functions that `depthlens bench` asks a backend: counters of what forward calls did, and the
// rate of plain products. A backend without them is a skip.
#include "agreement.hpp"

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>

using namespace depthlens::testing;
using depthlens::status;

BOOST_AUTO_TEST_SUITE(measurement)

namespace {

bool counts_work(const dlens_model& m) { return DLENS_HAS(dlens_model, &m, work) && m.work != nullptr; }
bool knows_rate(const dlens_model& m) {
  return DLENS_HAS(dlens_model, &m, product_rate) && m.product_rate != nullptr;
}

boost::test_tools::assertion_result has_work(boost::unit_test::test_unit_id) {
  const random_model weights({});
  const test_model model(weights);
  return counts_work(model.get());
}
boost::test_tools::assertion_result has_rate(boost::unit_test::test_unit_id) {
  const random_model weights({});
  const test_model model(weights);
  return knows_rate(model.get());
}

dlens_work work_of(const dlens_model& m) {
  dlens_work out{};
  out.size = sizeof out;
  m.work(&m, &out);
  return out;
}

pack some_pack(std::int32_t n) {
  pack p;
  std::vector<std::int32_t> ids;
  for (std::int32_t i = 0; i < n; ++i) ids.push_back(i % 7);
  const auto path = p.add_sequence(ids);
  p.add_read(path.back(), {-1});
  return p;
}

}  // namespace

BOOST_AUTO_TEST_CASE(work_counters_grow_with_each_forward_call_by_what_it_did,
                     *boost::unit_test::precondition(has_work)) {
  const random_model weights({});
  test_model model(weights);
  model.add_logit_lens();
  const dlens_work none = work_of(model.get());
  BOOST_TEST(none.calls == 0U);
  BOOST_TEST(none.product_flops == 0U);
  model.forward(some_pack(4));
  const dlens_work one = work_of(model.get());
  BOOST_TEST(one.calls == 1U);
  BOOST_TEST(one.product_flops > 0U);
  BOOST_TEST(one.product_ns <= one.blocks_ns + one.readout_ns);
  model.forward(some_pack(4));
  const dlens_work two = work_of(model.get());
  BOOST_TEST(two.calls == 2U);
  BOOST_TEST(two.product_flops == 2 * one.product_flops);
  model.forward(some_pack(9));
  BOOST_TEST(work_of(model.get()).product_flops - two.product_flops > one.product_flops);
}

BOOST_AUTO_TEST_CASE(counters_are_written_only_as_far_as_the_caller_knows_them,
                     *boost::unit_test::precondition(has_work)) {
  const random_model weights({});
  test_model model(weights);
  model.add_logit_lens();
  model.forward(some_pack(4));
  dlens_work short_one{};
  short_one.size = offsetof(dlens_work, product_ns);
  short_one.product_ns = short_one.blocks_ns = short_one.readout_ns = 17;
  model.get().work(&model.get(), &short_one);
  BOOST_TEST(short_one.calls == 1U);
  BOOST_TEST(short_one.product_flops > 0U);
  BOOST_TEST(short_one.product_ns == 17U);
  BOOST_TEST(short_one.blocks_ns == 17U);
  BOOST_TEST(short_one.readout_ns == 17U);
}

BOOST_AUTO_TEST_CASE(the_rate_of_plain_products_is_measured_in_f32_and_refused_in_an_unknown_precision,
                     *boost::unit_test::precondition(has_rate)) {
  const random_model weights({});
  const test_model model(weights);
  const dlens_model& m = model.get();
  for (const std::uint32_t threads : {1u, 3u}) {
    double rate = 0;
    depthlens::checked_call(m.product_rate, &m, "f32", threads, 0.01, &rate);
    BOOST_TEST(rate > 0);
  }
  double rate = 0;
  BOOST_CHECK_EXCEPTION(depthlens::checked_call(m.product_rate, &m, "f3", 1u, 0.01, &rate), depthlens::error,
                        [](const depthlens::error& e) { return e.code() == status::unavailable; });
}

BOOST_AUTO_TEST_SUITE_END()
