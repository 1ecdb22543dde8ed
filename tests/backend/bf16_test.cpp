// SPDX-License-Identifier: Apache-2.0
// Precision bf16: close to f32 for random models, the same to the bit whatever else is in the pack, and told
// apart in what the backend says of itself. A backend without bf16 refuses it by name.
#include "agreement.hpp"
#include "same_read.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace depthlens::testing;

BOOST_AUTO_TEST_SUITE(bf16_precision)

namespace {

// The second has an odd number of inputs, the third a width and an inner width beyond one block of rows.
const model_shape shapes[] = {
    {.seed = 31},
    {.layers = 2,
     .width = 35,
     .heads = 5,
     .kv_heads = 5,
     .head_dim = 7,
     .inner = 51,
     .vocabulary = 997,
     .rope_dims = 6,
     .biased = true,
     .seed = 32},
    {.layers = 2,
     .width = 192,
     .heads = 6,
     .kv_heads = 2,
     .head_dim = 32,
     .inner = 512,
     .vocabulary = 2000,
     .rope_dims = 32,
     .tied = false,
     .seed = 33},
};

// The mean of |a - b|.
double mean_distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::abs(static_cast<double>(a[i]) - b[i]);
  return sum / static_cast<double>(a.size());
}

}  // namespace

BOOST_AUTO_TEST_CASE(readings_stay_close_to_those_of_f32_but_are_not_those_of_f32) {
  for (const model_shape& shape : shapes) {
    const random_model weights(shape);
    test_model exact(weights), rounded(weights, 2, "bf16");
    exact.add_logit_lens();
    rounded.add_logit_lens();
    const pack p = pack_of(random_sequences(shape, 40, 40, shape.seed));
    const lens_readings want = exact.forward(p).lenses[0], got = rounded.forward(p).lenses[0];
    const double logprob = mean_distance(got.logprob, want.logprob);
    BOOST_TEST_MESSAGE("mean difference of logprob " << logprob << ", entropy "
                                                     << mean_distance(got.entropy, want.entropy));
    // Logits of these models spread by 3: 2^-9 of that for each rounding, summed over the layers.
    BOOST_TEST(logprob > 1e-5);
    BOOST_TEST(logprob < 0.05);
    BOOST_TEST(mean_distance(got.entropy, want.entropy) < 0.05);
  }
}

BOOST_AUTO_TEST_CASE(weights_that_are_bf16_and_rows_that_are_bf16_lose_nothing) {
  // Rows of one size: normed they are 1 and -1 but for the norm's epsilon, 8e-5, which rounding takes away.
  model_shape shape{.layers = 1, .width = 64, .heads = 2, .kv_heads = 2, .head_dim = 32, .rope_dims = 32};
  random_model weights(shape);
  for (auto& [name, m] : weights.tensors) {
    for (float& x : m.values) x = x < 0 ? -0.25f : 0.25f;
  }
  for (float& x : weights.tensors["final_norm"].values) x = 1;
  test_model exact(weights), rounded(weights, 2, "bf16");
  exact.add_lens({{0}});
  rounded.add_lens({{0}});
  const pack p = pack_of(random_sequences(shape, 20, 10, 5));
  const lens_readings want = exact.forward(p).lenses[0], got = rounded.forward(p).lenses[0];
  BOOST_TEST(mean_distance(got.entropy, want.entropy) < 2e-3);
  BOOST_TEST(mean_distance(got.logprob, want.logprob) < 2e-3);
}

BOOST_AUTO_TEST_CASE(a_tree_of_sequences_reads_like_each_sequence_alone_in_bf16) {
  for (const model_shape& shape : shapes) {
    const random_model weights(shape);
    test_model model(weights, 2, "bf16");
    model.add_logit_lens();
    const sequences texts = random_sequences(shape, 30, 60, shape.seed);
    const pack together = pack_of(texts);
    BOOST_TEST(count_differences(model, texts, together, model.forward(together)) == 0u);
  }
}

BOOST_AUTO_TEST_CASE(packs_of_one_to_six_hundred_tokens_read_alike_in_bf16) {
  const random_model weights(shapes[2]);
  test_model model(weights, 2, "bf16");
  model.add_logit_lens();
  const sequences texts{{1, 2, 3, 4, 5, 6, 7}};
  const pack alone = pack_of(texts);
  const pack_readings first = model.forward(alone);
  std::size_t different = 0;
  for (std::size_t size = 1; size <= 600; size += size < 40 ? 1 : 37) {
    pack p;
    for (std::size_t i = 0; p.tokens.size() < size; ++i) {
      p.add_sequence({10 + static_cast<std::int32_t>(i % 190), static_cast<std::int32_t>(i / 190), 3});
    }
    for (std::size_t t = 0; t < p.tokens.size(); t += 3) p.add_read(static_cast<std::uint32_t>(t), {-1});
    p.add_read(p.add_sequence(texts[0]).back(), {-1, 1});
    different += same_read(alone, first, 0, p, model.forward(p), p.read_token.size() - 1) ? 0 : 1;
  }
  BOOST_TEST(different == 0u);
}

BOOST_AUTO_TEST_CASE(the_model_says_how_its_weights_are_held) {
  const random_model weights(shapes[0]);
  const test_model exact(weights), rounded(weights, 2, "bf16");
  const auto form = [](const test_model& m) { return std::string(m.get().info(&m.get())->weights); };
  BOOST_TEST(form(exact).starts_with("f32"));
  BOOST_TEST(form(rounded).starts_with("bf16"));
}

BOOST_AUTO_TEST_CASE(f16_is_refused_by_name) {
  const random_model weights(shapes[0]);
  BOOST_CHECK_EXCEPTION(test_model(weights, 2, "f16"), depthlens::error, [](const depthlens::error& e) {
    return std::string(e.what()).find("f16") != std::string::npos;
  });
}

BOOST_AUTO_TEST_SUITE_END()
