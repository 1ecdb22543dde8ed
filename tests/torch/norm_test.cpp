// SPDX-License-Identifier: Apache-2.0
// The norm by steps, as on the CPU, against libtorch's own, which GPUs take.
#include "plugins/torch/weights.hpp"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(norms)

using namespace depthlens::torch_backend;

BOOST_AUTO_TEST_CASE(a_norm_by_steps_is_the_norm_of_libtorch) {
  const at::Tensor x = at::linspace(-3, 5, 4 * 48).view({4, 48}), weight = at::linspace(0.5, 2, 48);
  norm_weights norm;
  norm.weight = weight;
  norm.eps = 0.25;  // large enough to be seen
  const at::Tensor want = at::rms_norm(x, {48}, weight, norm.eps);
  BOOST_TEST(at::allclose(norm.apply(x), want, 1e-6, 1e-6));
  BOOST_TEST(!at::allclose(norm.apply(x), at::rms_norm(x, {48}, weight, 1e-6), 1e-6, 1e-6));
  norm.bias = at::ones({48});
  BOOST_TEST(at::allclose(norm.apply(x), want + 1, 1e-6, 1e-6));
}

BOOST_AUTO_TEST_SUITE_END()
