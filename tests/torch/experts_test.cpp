// SPDX-License-Identifier: Apache-2.0
// What a router chooses where scores are equal, and the order in which experts work.
#include "plugins/torch/experts.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <vector>

BOOST_AUTO_TEST_SUITE(experts)

using namespace depthlens;
using namespace depthlens::torch_backend;

namespace {

using numbers = std::vector<std::int64_t>;

numbers values_of(const at::Tensor& x) {
  const at::Tensor here = x.contiguous();
  return {here.const_data_ptr<std::int64_t>(), here.const_data_ptr<std::int64_t>() + here.numel()};
}

dlens_experts router_of(std::uint32_t n, std::uint32_t used) {
  return {.size = sizeof(dlens_experts),
          .n_experts = n,
          .n_used = used,
          .router = DLENS_ROUTER_SIGMOID,
          .normalised = 1,
          .scale = 1};
}

}  // namespace

BOOST_AUTO_TEST_CASE(of_equal_scores_the_expert_with_the_smaller_number_is_chosen) {
  constexpr std::int64_t n = 200;
  const at::Tensor score = at::zeros({3, n});
  score[1][150] = 1;
  score[2].fill_(2);
  const chosen_experts chosen = choose_experts(router_of(n, 4), score, {}, {});
  BOOST_TEST((values_of(chosen.ids) == numbers{0, 1, 2, 3, 150, 0, 1, 2, 0, 1, 2, 3}));
  BOOST_TEST(at::allclose(chosen.weights.sum(1), at::ones({3})));
}

BOOST_AUTO_TEST_CASE(of_equal_groups_the_first_ones_are_taken) {
  dlens_experts e = router_of(8, 2);
  e.group_score = DLENS_GROUPS_BEST_TWO, e.n_groups = 4, e.groups_used = 2;
  const at::Tensor score = at::zeros({2, 8});
  score[1][7] = 3;
  BOOST_TEST((values_of(choose_experts(e, score, {}, {}).ids) == numbers{0, 1, 7, 0}));
}

BOOST_AUTO_TEST_CASE(each_expert_gets_its_rows_in_order_and_each_row_adds_up_by_rising_expert) {
  const expert_order order = order_by_expert({2, 0, 0, 3, 3, 2}, 2, 4);
  BOOST_TEST((order.begin == numbers{0, 2, 2, 4, 6}));
  BOOST_TEST((order.row == numbers{0, 1, 0, 2, 1, 2}));
  BOOST_TEST((order.slot == numbers{1, 2, 0, 5, 3, 4}));
  BOOST_TEST((order.place == std::vector<numbers>{{0, 1, 3}, {2, 4, 5}}));
}

BOOST_AUTO_TEST_SUITE_END()
