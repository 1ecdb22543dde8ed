// SPDX-License-Identifier: Apache-2.0
// Several devices of one machine, each with its copy of the model: here the CPU by several names. For the
// torch backend.
#include "same_read.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <string_view>
#include <thread>
#include <vector>

using namespace depthlens::testing;

BOOST_AUTO_TEST_SUITE(devices)

namespace {

boost::test_tools::assertion_result takes_several(boost::unit_test::test_unit_id) {
  const char* path = std::getenv("DEPTHLENS_TEST_BACKEND");
  boost::test_tools::assertion_result torch(path != nullptr &&
                                            std::string_view(path).ends_with("backend-torch.so"));
  if (!torch) torch.message() << "this backend runs on one device";
  return torch;
}

pack pack_number(std::size_t i, const model_shape& shape) {
  pack p;
  for (const auto& ids : random_sequences(shape, 4, 30, static_cast<std::uint32_t>(100 + i)))
    p.add_read(p.add_sequence(ids).back(), {-1, 3});
  return p;
}

}  // namespace

BOOST_AUTO_TEST_CASE(calls_on_three_devices_at_once_give_what_one_device_gives,
                     *boost::unit_test::precondition(takes_several)) {
  const model_shape shape{.layers = 3, .seed = 41};
  const random_model weights(shape);
  test_model one(weights, 1, "f32", "cpu"), three(weights, 4, "f32", "cpu,cpu,cpu");
  BOOST_TEST(three.get().info(&three.get())->weight_bytes == 3 * one.get().info(&one.get())->weight_bytes);
  one.add_logit_lens();
  three.add_logit_lens();
  constexpr std::size_t n = 12;
  std::vector<pack> packs;
  for (std::size_t i = 0; i < n; ++i) packs.push_back(pack_number(i, shape));
  std::vector<pack_readings> got(n);
  {
    std::vector<std::jthread> callers;
    for (std::size_t first = 0; first < 4; ++first)
      callers.emplace_back([&, first] {
        for (std::size_t i = first; i < n; i += 4) got[i] = three.forward(packs[i]);
      });
  }
  for (std::size_t i = 0; i < n; ++i) {
    const pack_readings want = one.forward(packs[i]);
    for (std::size_t r = 0; r < packs[i].read_token.size(); ++r)
      BOOST_TEST(same_read(packs[i], got[i], r, packs[i], want, r));
  }
}

BOOST_AUTO_TEST_CASE(devices_of_two_kinds_and_empty_names_are_refused,
                     *boost::unit_test::precondition(takes_several)) {
  const random_model weights({});
  const weights_view view(weights);
  for (const char* device : {"cpu,", ",cpu", "cpu,gpu", "cpu,cuda:77"})
    BOOST_CHECK_EXCEPTION(
        loaded_model(view.weights, 1, device), depthlens::error,
        [](const depthlens::error& e) { return e.code() == depthlens::status::unavailable; });
}

BOOST_AUTO_TEST_SUITE_END()
