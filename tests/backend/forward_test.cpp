// SPDX-License-Identifier: Apache-2.0
// The forward pass and the logit lens against the plain model in double precision.
#include "agreement.hpp"

#include <boost/test/unit_test.hpp>

using namespace depthlens::testing;

BOOST_AUTO_TEST_SUITE(forward)

namespace {

void compare_shape(const model_shape& shape, std::size_t longest = 40) {
  const random_model weights(shape);
  expect_agreement(compare_with_reference(weights, random_sequences(shape, 6, longest, shape.seed + 100),
                                          {logit_lens(shape.layers)}));
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_tied_model_with_grouped_queries_agrees_with_the_reference) { compare_shape({}); }

BOOST_AUTO_TEST_CASE(an_untied_model_with_as_many_keys_as_queries_agrees_with_the_reference) {
  compare_shape({.kv_heads = 4, .tied = false, .seed = 2});
}

BOOST_AUTO_TEST_CASE(interleaved_rotary_pairs_agree_with_the_reference) {
  compare_shape({.rope_kind = DLENS_ROPE_INTERLEAVED, .seed = 3});
}

BOOST_AUTO_TEST_CASE(an_odd_head_dimension_turned_in_part_agrees_with_the_reference) {
  compare_shape({.heads = 6, .kv_heads = 2, .head_dim = 7, .rope_dims = 4, .seed = 4});
}

BOOST_AUTO_TEST_CASE(biases_are_added) { compare_shape({.biased = true, .seed = 5}); }

BOOST_AUTO_TEST_CASE(one_block_and_one_head_agree_with_the_reference) {
  compare_shape(
      {.layers = 1, .width = 20, .heads = 1, .kv_heads = 1, .head_dim = 64, .rope_dims = 64, .seed = 6});
}

BOOST_AUTO_TEST_CASE(wide_heads_and_long_sequences_agree_with_the_reference) {
  compare_shape(
      {.layers = 2, .width = 40, .heads = 3, .kv_heads = 1, .head_dim = 80, .rope_dims = 80, .seed = 7}, 300);
}

BOOST_AUTO_TEST_CASE(a_vocabulary_of_many_tiles_and_a_rest_agrees_with_the_reference) {
  compare_shape({.layers = 2, .vocabulary = 4111, .seed = 8});
}

BOOST_AUTO_TEST_CASE(a_vocabulary_of_five_ids_fills_the_top_with_minus_one) {
  const random_model weights({.layers = 1, .vocabulary = 5});
  test_model model(weights);
  model.add_logit_lens();
  pack p;
  p.top_k = 8;
  p.add_read(p.add_sequence({1, 2, 3}).back(), {4});
  const pack_readings got = model.forward(p);
  std::vector<std::int32_t> ids(got.lenses[0].top.begin(), got.lenses[0].top.begin() + 5);
  std::sort(ids.begin(), ids.end());
  const std::vector<std::int32_t> all{0, 1, 2, 3, 4};
  BOOST_TEST(ids == all, boost::test_tools::per_element());
  BOOST_TEST(got.lenses[0].top[5] == -1);
  BOOST_TEST(got.lenses[0].top[7] == -1);
}

BOOST_AUTO_TEST_CASE(the_last_layer_of_the_logit_lens_is_the_model_itself) {
  const random_model weights({.seed = 9});
  test_model model(weights);
  model.add_logit_lens();
  pack p;
  p.add_read(p.add_sequence({5, 6, 7, 8}).back(), {-1});
  const pack_readings got = model.forward(p);
  const lens_readings& r = got.lenses[0];
  BOOST_TEST(r.rank.back() == 1u);
  BOOST_TEST(r.kl.back() == 0.0f);
  BOOST_TEST(r.top[(r.layers - 1) * p.top_k] == got.final_top[0]);
  BOOST_TEST(r.top_logprob[(r.layers - 1) * p.top_k] == r.logprob.back());
}

BOOST_AUTO_TEST_SUITE_END()
