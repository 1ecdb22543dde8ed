// SPDX-License-Identifier: Apache-2.0
// Models of every form against the plain model in double precision, and each against itself: a tree of texts
// reads like each text alone, to the bit.
#include "agreement.hpp"
#include "architectures.hpp"
#include "further_architectures.hpp"
#include "same_read.hpp"

#include <boost/test/unit_test.hpp>

using namespace depthlens::testing;

BOOST_AUTO_TEST_SUITE(architectures)

namespace {

void compare_all(const std::vector<named_shape>& shapes) {
  for (const named_shape& s : shapes) {
    BOOST_TEST_CONTEXT(s.name) {
      BOOST_TEST_MESSAGE(s.name);
      const sequences texts = random_sequences(s.shape, 6, 60, s.shape.seed + 100);
      expect_agreement(compare_with_reference(random_model(s.shape), texts, {logit_lens(s.shape.layers)}));
    }
  }
}

void compare_alone(const std::vector<named_shape>& shapes, std::size_t longest = 70) {
  for (const named_shape& s : shapes) {
    BOOST_TEST_CONTEXT(s.name) {
      const random_model weights(s.shape);
      test_model model(weights);
      model.add_logit_lens();
      const sequences texts = random_sequences(s.shape, 20, longest, s.shape.seed + 200);
      const pack together = pack_of(texts, s.shape.long_positions);
      BOOST_TEST(count_differences(model, texts, together, model.forward(together)) == 0u);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_part_alone_agrees_with_the_reference) { compare_all(single_parts()); }

BOOST_AUTO_TEST_CASE(every_family_agrees_with_the_reference) { compare_all(families()); }

BOOST_AUTO_TEST_CASE(with_every_part_a_tree_reads_like_each_text_alone) { compare_alone(single_parts()); }

BOOST_AUTO_TEST_CASE(in_every_family_a_tree_reads_like_each_text_alone) { compare_alone(families()); }

BOOST_AUTO_TEST_CASE(every_further_form_agrees_with_the_reference) { compare_all(further_shapes()); }

BOOST_AUTO_TEST_CASE(with_every_further_form_a_tree_reads_like_each_text_alone) {
  compare_alone(further_shapes());
}

// Longer than the chunks that a backend may cut texts into.
BOOST_AUTO_TEST_CASE(long_texts_under_delta_rules_agree_with_the_reference) {
  for (const named_shape& s : further_shapes()) {
    if (!s.shape.delta) continue;
    BOOST_TEST_CONTEXT(s.name) {
      BOOST_TEST_MESSAGE(s.name);
      const sequences texts = random_sequences(s.shape, 8, 210, s.shape.seed + 300);
      expect_agreement(compare_with_reference(random_model(s.shape), texts, {logit_lens(s.shape.layers)}));
      compare_alone({s}, 210);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_position_reads_alike_whatever_else_of_its_text_is_read) {
  for (const named_shape& s : families()) {
    BOOST_TEST_CONTEXT(s.name) {
      const random_model weights(s.shape);
      test_model model(weights);
      model.add_logit_lens();
      const std::vector<std::int32_t> text = random_sequences(s.shape, 1, 70, 3)[0];
      pack all;
      const auto path = all.add_sequence(text);
      for (const std::uint32_t token : path) all.add_read(token, {-1, text[0]});
      const pack_readings readings = model.forward(all);
      std::size_t different = 0;
      for (std::size_t i = 0; i < text.size(); ++i) {
        const pack alone = pack_of({{text.begin(), text.begin() + static_cast<std::ptrdiff_t>(i + 1)}});
        different += same_read(alone, model.forward(alone), 0, all, readings, i) ? 0 : 1;
      }
      BOOST_TEST(different == 0u);
    }
  }
}

BOOST_AUTO_TEST_CASE(every_form_of_lens_agrees_with_the_reference_under_bias_and_cap) {
  const model_shape shape{.seed = 90,
                          .norm_kind = DLENS_NORM_LAYER,
                          .norm_biases = true,
                          .biased_unembed = true,
                          .final_softcap = 6};
  std::mt19937 bits(91);
  std::normal_distribution<float> noise(0, 0.2f);
  std::vector<lens_spec> lenses{logit_lens(shape.layers)};
  for (const std::uint32_t form :
       {DLENS_TRANSPORT_RESIDUAL, DLENS_TRANSPORT_FULL, DLENS_TRANSPORT_CONSTANT}) {
    lens_spec& lens = lenses.emplace_back();
    for (std::uint32_t layer = 0; layer <= shape.layers; ++layer) {
      transport_spec& t = lens.emplace_back(transport_spec{layer, form});
      if (form != DLENS_TRANSPORT_CONSTANT) t.a.resize(shape.width * shape.width);
      t.b.resize(shape.width);
      for (float& x : t.a) x = noise(bits);
      for (float& x : t.b) x = noise(bits);
    }
  }
  expect_agreement(compare_with_reference(random_model(shape), random_sequences(shape, 9, 20, 92), lenses));
}

BOOST_AUTO_TEST_SUITE_END()
