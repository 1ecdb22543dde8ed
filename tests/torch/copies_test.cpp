// SPDX-License-Identifier: Apache-2.0
// Copies of a model's weights for several devices. The second kind of device is `meta`, which holds shapes
// alone.
#include "plugins/torch/weights.hpp"

#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <vector>

BOOST_AUTO_TEST_SUITE(copies)

namespace {

using namespace depthlens;
using namespace depthlens::torch_backend;

model_weights weights_on(at::Device device) {
  const auto matrix = [&](std::int64_t rows) {
    return at::zeros({rows, 8}, at::TensorOptions(at::kFloat).device(device));
  };
  model_weights w;
  w.unembed = w.embed = matrix(12);
  w.final_norm.weight = matrix(1).flatten();
  w.blocks.resize(2);
  for (block_weights& b : w.blocks) b.q = b.o = linear(matrix(8), {});
  return w;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_copy_lies_on_its_own_device_and_the_last_is_what_was_loaded) {
  const std::vector<at::Device> devices{at::kMeta, at::kCPU, at::kMeta, at::kCPU};
  const model_weights loaded = weights_on(devices.back());
  const std::vector<model_weights> copies = copies_on(devices, loaded);
  BOOST_REQUIRE(copies.size() == devices.size());
  for (std::size_t i = 0; i < devices.size(); ++i) {
    const model_weights& w = copies[i];
    for (const at::Tensor& t : {w.embed, w.unembed, w.final_norm.weight, w.blocks[1].q.weight()})
      BOOST_TEST((t.device() == devices[i]));
    BOOST_TEST(w.embed.is_same(w.unembed));
    BOOST_TEST(w.unembed.is_same(loaded.unembed) == (i + 1 == devices.size()));
  }
}

BOOST_AUTO_TEST_CASE(weights_that_were_loaded_on_another_device_than_the_last_are_refused) {
  test::check_fails(
      [] {
        copies_on({at::kCPU, at::kMeta}, weights_on(at::kCPU));
      },
      status::internal, "weights for meta lie on cpu");
}

BOOST_AUTO_TEST_SUITE_END()
