// SPDX-License-Identifier: Apache-2.0
// Products whose sums are kept in float32.
#include "plugins/torch/linear.hpp"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(products)

using namespace depthlens::torch_backend;

BOOST_AUTO_TEST_CASE(sums_of_products_of_halves_are_not_rounded_to_halves) {
  // 1 + 2^-12 has no bf16 or f16: rounded it is 1.
  const at::Tensor a = at::ones({3, 2}), b = at::tensor({1.0, 0x1p-12}, at::kFloat).view({2, 1});
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf}) {
    const at::Tensor sum = float_product(a.to(type), b.to(type));
    BOOST_TEST((sum.scalar_type() == at::kFloat));
    BOOST_TEST((sum == 1 + 0x1p-12).all().item<bool>());
  }
}

BOOST_AUTO_TEST_SUITE_END()
