// SPDX-License-Identifier: Apache-2.0
// Which experts a backend says that it chose, beside the plain model in double precision.
#include "agreement.hpp"
#include "further_architectures.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>

using namespace depthlens::testing;

BOOST_AUTO_TEST_SUITE(choices_of_experts)

namespace {

std::vector<named_shape> with_experts() {
  std::vector<named_shape> out;
  for (const named_shape& s : further_shapes())
    if (s.shape.experts) out.push_back(s);
  BOOST_TEST_REQUIRE(out.size() >= 8u);
  return out;
}

pack_choices room_of(const model_shape& shape) {
  std::uint32_t n = 0;
  for (std::uint32_t layer = 0; layer < shape.layers; ++layer) n += shape.has_experts(layer) ? 1 : 0;
  return {.n_blocks = n, .n_used = shape.experts->used};
}

// Texts as one tree, every token of which is read, in the order of the texts.
pack read_everywhere(const sequences& texts) {
  pack out;
  for (const auto& text : texts)
    for (const std::uint32_t token : out.add_sequence(text)) out.add_read(token, {-1});
  return out;
}

// Where two scores are nearer than rounding, either may be chosen: such rows are passed over.
bool is_near_tie(const chosen_experts& want, const pack_choices& got, std::size_t at) {
  for (std::size_t i = 0; i < want.ids.size(); ++i)
    if (std::abs(static_cast<double>(got.weight[at + i]) - want.weights[i]) > 1e-4) return false;
  return true;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_experts_that_are_said_to_be_chosen_are_those_of_the_reference) {
  for (const named_shape& s : with_experts()) {
    BOOST_TEST_CONTEXT(s.name) {
      const random_model weights(s.shape);
      test_model model(weights);
      model.add_logit_lens();
      const sequences texts = random_sequences(s.shape, 4, 40, s.shape.seed + 7);
      pack_choices got = room_of(s.shape);
      model.forward(read_everywhere(texts), nullptr, 0, nullptr, {.choices = &got});
      const weights_view view(weights);
      const reference::model plain(view.weights);
      std::size_t read = 0, different = 0;
      double worst = 0;
      for (const auto& text : texts) {
        reference::model::choices want;
        plain.residuals(text, &want);
        for (std::size_t p = 0; p < text.size(); ++p, ++read) {
          std::size_t block = 0;
          for (const auto& of_block : want) {
            if (of_block.empty()) continue;
            const std::size_t at = read * got.n_blocks + block++;
            const std::size_t row = at * got.n_used;
            bool same = true;
            for (std::size_t i = 0; i < of_block[p].ids.size(); ++i)
              same = same && got.expert[row + i] == static_cast<std::int32_t>(of_block[p].ids[i]);
            if (!same && !is_near_tie(of_block[p], got, row)) ++different;
            if (!same) continue;
            for (std::size_t i = 0; i < of_block[p].ids.size(); ++i)
              worst = std::max(worst,
                               std::abs(static_cast<double>(got.weight[row + i]) - of_block[p].weights[i]));
            worst = std::max(worst, std::abs(static_cast<double>(got.entropy[at]) - of_block[p].entropy));
          }
          BOOST_TEST_REQUIRE(block == got.n_blocks);
        }
      }
      BOOST_TEST(different == 0u);
      BOOST_TEST(worst < 1e-4);
    }
  }
}

// Also of the last block, which is computed where something is read alone.
BOOST_AUTO_TEST_CASE(a_position_has_the_same_experts_whatever_else_is_read) {
  for (const named_shape& s : with_experts()) {
    BOOST_TEST_CONTEXT(s.name) {
      const random_model weights(s.shape);
      test_model model(weights);
      model.add_logit_lens();
      const std::vector<std::int32_t> text = random_sequences(s.shape, 1, 40, 11)[0];
      pack_choices all = room_of(s.shape), one = room_of(s.shape);
      model.forward(read_everywhere({text}), nullptr, 0, nullptr, {.choices = &all});
      const std::size_t per_read = std::size_t{all.n_blocks} * all.n_used;
      for (const std::size_t p : {std::size_t{0}, text.size() / 2, text.size() - 1}) {
        pack alone;
        alone.add_read(alone.add_sequence(text)[p], {-1});
        model.forward(alone, nullptr, 0, nullptr, {.choices = &one});
        BOOST_TEST(std::equal(one.expert.begin(), one.expert.end(),
                              all.expert.begin() + static_cast<std::ptrdiff_t>(p * per_read)));
      }
    }
  }
}

// Whatever the other scores are: a damaged router is not to be read past.
BOOST_AUTO_TEST_CASE(a_router_with_a_score_that_is_no_number_gives_no_readings) {
  for (const named_shape& s : with_experts()) {
    BOOST_TEST_CONTEXT(s.name) {
      random_model weights(s.shape);
      std::uint32_t layer = 0;
      while (!s.shape.has_experts(layer)) ++layer;
      weights.tensors.at(cat("block.", layer, ".router")).values.back() = NAN;
      test_model model(weights);
      model.add_logit_lens();
      const pack_readings r = model.forward(read_everywhere(random_sequences(s.shape, 2, 20, 5)));
      BOOST_TEST(
          std::all_of(r.lenses[0].kl.begin(), r.lenses[0].kl.end(), [](float kl) { return std::isnan(kl); }));
    }
  }
}

BOOST_AUTO_TEST_CASE(room_of_another_shape_is_refused) {
  const named_shape s = with_experts().front();
  const random_model weights(s.shape);
  test_model model(weights);
  model.add_logit_lens();
  pack_choices wrong = room_of(s.shape);
  ++wrong.n_used;
  const pack texts = read_everywhere(random_sequences(s.shape, 1, 5, 3));
  BOOST_CHECK_THROW(model.forward(texts, nullptr, 0, nullptr, {.choices = &wrong}), error);
}

BOOST_AUTO_TEST_SUITE_END()
