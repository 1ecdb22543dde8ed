// SPDX-License-Identifier: Apache-2.0
// Lenses: every way of carrying a layer to the output space, and the measures where logits are equal or not
// finite.
#include "agreement.hpp"

#include <boost/test/unit_test.hpp>

#include <limits>

using namespace depthlens::testing;

BOOST_AUTO_TEST_SUITE(lenses)

namespace {

transport_spec random_transport(const model_shape& shape, std::uint32_t layer, std::uint32_t form,
                                std::uint32_t seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> noise(0, 0.2f);
  transport_spec t{layer, form, {}, {}};
  if (form == DLENS_TRANSPORT_RESIDUAL || form == DLENS_TRANSPORT_FULL) t.a.resize(shape.width * shape.width);
  if (form != DLENS_TRANSPORT_IDENTITY) t.b.resize(shape.width);
  for (float& x : t.a) x = noise(bits);
  for (float& x : t.b) x = noise(bits);
  return t;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_form_at_every_layer_agrees_with_the_reference) {
  const model_shape shape{.seed = 21};
  std::vector<lens_spec> lenses{logit_lens(shape.layers)};
  for (const std::uint32_t form :
       {DLENS_TRANSPORT_RESIDUAL, DLENS_TRANSPORT_FULL, DLENS_TRANSPORT_CONSTANT}) {
    lens_spec& lens = lenses.emplace_back();
    for (std::uint32_t layer = 0; layer <= shape.layers; ++layer) {
      lens.push_back(random_transport(shape, layer, form, 7 * form + layer));
    }
  }
  lenses.push_back(
      {{1, DLENS_TRANSPORT_IDENTITY, {}, {}}, random_transport(shape, 2, DLENS_TRANSPORT_FULL, 99)});
  expect_agreement(compare_with_reference(random_model(shape), random_sequences(shape, 9, 20, 22), lenses));
}

BOOST_AUTO_TEST_CASE(a_zero_translator_reads_like_the_logit_lens_to_the_bit) {
  const model_shape shape{.seed = 23};
  const random_model weights(shape);
  test_model model(weights);
  model.add_logit_lens();
  lens_spec zero;
  for (std::uint32_t layer = 0; layer <= shape.layers; ++layer) {
    zero.push_back({layer, DLENS_TRANSPORT_RESIDUAL, std::vector<float>(shape.width * shape.width, 0.0f),
                    std::vector<float>(shape.width, 0.0f)});
  }
  model.add_lens(zero);
  pack p;
  for (const auto& ids : random_sequences(shape, 8, 20, 24))
    p.add_read(p.add_sequence(ids).back(), {-1, ids[0]});
  const pack_readings got = model.forward(p);
  const lens_readings &plain = got.lenses[0], &carried = got.lenses[1];
  BOOST_TEST(plain.rank == carried.rank, boost::test_tools::per_element());
  BOOST_TEST(plain.ties == carried.ties, boost::test_tools::per_element());
  BOOST_TEST(plain.logprob == carried.logprob, boost::test_tools::per_element());
  BOOST_TEST(plain.entropy == carried.entropy, boost::test_tools::per_element());
  BOOST_TEST(plain.top == carried.top, boost::test_tools::per_element());
  BOOST_TEST(plain.top_logprob == carried.top_logprob, boost::test_tools::per_element());
  for (std::size_t i = 0; i < plain.kl.size(); ++i)
    BOOST_TEST(std::abs(plain.kl[i] - carried.kl[i]) <= 1e-6f);
}

BOOST_AUTO_TEST_CASE(a_missing_offset_is_zero) {
  const model_shape shape{.seed = 25};
  const random_model weights(shape);
  test_model model(weights);
  transport_spec with = random_transport(shape, 1, DLENS_TRANSPORT_FULL, 3), without = with;
  with.b.assign(shape.width, 0.0f);
  without.b.clear();
  model.add_lens({with});
  model.add_lens({without});
  pack p;
  p.add_read(p.add_sequence({4, 5, 6}).back(), {-1});
  const pack_readings got = model.forward(p);
  BOOST_TEST(got.lenses[0].logprob[0] == got.lenses[1].logprob[0]);
  BOOST_TEST(got.lenses[0].kl[0] == got.lenses[1].kl[0]);
}

BOOST_AUTO_TEST_CASE(equal_logits_are_ties_and_the_smaller_id_comes_first) {
  // The vocabulary spans several tiles of any backend; rows 40, 1777 and 3999 of the unembedding are equal.
  random_model weights({.layers = 2, .vocabulary = 4000, .tied = false, .seed = 26});
  matrix& unembed = weights.tensors.at("unembed");
  const auto row_at = [&](std::size_t i) {
    return unembed.values.begin() + static_cast<std::ptrdiff_t>(i * unembed.columns);
  };
  for (const std::size_t twin : {1777u, 3999u}) std::copy_n(row_at(40), unembed.columns, row_at(twin));
  test_model model(weights);
  model.add_logit_lens();
  pack p;
  p.top_k = 64;
  for (std::int32_t id = 0; id < 40; ++id)
    p.add_read(p.add_sequence({id, 3, 2 * id}).back(), {40, 1777, 3999, 5});
  const pack_readings got = model.forward(p);
  const lens_readings& r = got.lenses[0];
  std::size_t wrong = 0, seen_in_top = 0;
  for (std::size_t read = 0; read < p.read_token.size(); ++read) {
    for (std::size_t layer = 0; layer < r.layers; ++layer) {
      const auto cell = [&](std::size_t k) { return (4 * read + k) * r.layers + layer; };
      for (std::size_t k = 0; k < 3; ++k) {
        wrong += r.rank[cell(k)] == r.rank[cell(0)] && r.ties[cell(k)] == 2 &&
                         r.logprob[cell(k)] == r.logprob[cell(0)]
                     ? 0
                     : 1;
      }
      wrong += r.ties[cell(3)] == 0 ? 0 : 1;
      const std::int32_t* top = r.top.data() + (read * r.layers + layer) * p.top_k;
      const std::int32_t* found = std::find(top, top + 62, 40);
      if (found == top + 62) continue;
      ++seen_in_top;
      wrong += found[1] == 1777 && found[2] == 3999 &&
                       r.rank[cell(0)] == static_cast<std::uint32_t>(found - top) + 1
                   ? 0
                   : 1;
    }
  }
  BOOST_TEST(wrong == 0u);
  BOOST_TEST(seen_in_top > 0u);
}

BOOST_AUTO_TEST_CASE(many_targets_of_one_read_are_ranked_like_the_whole_vocabulary) {
  const model_shape shape{.vocabulary = 1200, .seed = 27};
  const random_model weights(shape);
  test_model model(weights);
  model.add_logit_lens();
  std::vector<std::int32_t> all(shape.vocabulary);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int32_t>(i);
  pack p;
  p.add_read(p.add_sequence({1, 2}).back(), {7});
  p.add_read(p.add_sequence({3, 4, 5}).back(), all);
  const pack_readings got = model.forward(p);
  const lens_readings& r = got.lenses[0];
  for (std::size_t layer = 0; layer < r.layers; ++layer) {
    std::vector<std::uint32_t> ranks;
    for (std::size_t k = 1; k < p.targets.size(); ++k) {
      ranks.push_back(r.rank[k * r.layers + layer]);
      BOOST_TEST_REQUIRE(r.ties[k * r.layers + layer] == 0u);
    }
    std::sort(ranks.begin(), ranks.end());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < ranks.size(); ++i) wrong += ranks[i] == i + 1 ? 0 : 1;
    BOOST_TEST(wrong == 0u);
  }
}

BOOST_AUTO_TEST_CASE(a_target_whose_logit_is_not_a_number_ranks_last_and_harms_nobody) {
  random_model weights({.layers = 2, .vocabulary = 1300, .tied = false, .seed = 28});
  const float bad = std::numeric_limits<float>::quiet_NaN();
  weights.tensors.at("unembed").values[1100 * weights.shape.width + 3] = bad;
  test_model model(weights);
  model.add_logit_lens();
  pack p;
  p.top_k = 64;
  p.add_read(p.add_sequence({1, 2, 3}).back(), {1100, 4, -1});
  const pack_readings got = model.forward(p);
  const lens_readings& r = got.lenses[0];
  for (std::size_t layer = 0; layer < r.layers; ++layer) {
    BOOST_TEST(r.rank[layer] == 1300u);
    BOOST_TEST(r.ties[layer] == 0u);
    BOOST_TEST(std::isnan(r.logprob[layer]));
    BOOST_TEST(std::isnan(r.entropy[layer]));
    BOOST_TEST(r.rank[r.layers + layer] < 1300u);
  }
  BOOST_TEST((std::find(r.top.begin(), r.top.end(), 1100) == r.top.end()));
  BOOST_TEST(r.rank[3 * r.layers - 1] == 1u);
}

BOOST_AUTO_TEST_CASE(logits_that_are_all_not_numbers_give_the_first_ids) {
  random_model weights({.layers = 1, .vocabulary = 100, .seed = 29});
  for (float& x : weights.tensors.at("final_norm").values) x = std::numeric_limits<float>::quiet_NaN();
  test_model model(weights);
  model.add_logit_lens();
  pack p;
  p.top_k = 3;
  p.add_read(p.add_sequence({1, 2, 3}).back(), {-1});
  const pack_readings got = model.forward(p);
  BOOST_TEST(got.final_top[0] == 0);
  BOOST_TEST(got.lenses[0].rank[0] == 100u);
  const std::vector<std::int32_t> expected{0, 1, 2, 0, 1, 2};
  BOOST_TEST(got.lenses[0].top == expected, boost::test_tools::per_element());
  BOOST_TEST(std::isnan(got.lenses[0].top_logprob[0]));
}

BOOST_AUTO_TEST_CASE(a_lens_that_cannot_be_is_refused) {
  const model_shape shape{.layers = 2};
  test_model model{random_model(shape)};
  const std::vector<float> a(shape.width * shape.width, 0.0f);
  const auto refused = [&](const lens_spec& lens, const char* word) {
    BOOST_CHECK_EXCEPTION(model.add_lens(lens), depthlens::error, [word](const depthlens::error& e) {
      return std::string(e.what()).find(word) != std::string::npos;
    });
  };
  refused({{3}}, "layer 3");
  refused({{1}, {0}}, "ascend");
  refused({{1}, {1}}, "ascend");
  refused({{1, 9, a, {}}}, "form");
  refused({{1, DLENS_TRANSPORT_FULL, {}, {}}}, "matrix");
  refused({{1, DLENS_TRANSPORT_RESIDUAL, {}, {}}}, "matrix");
}

BOOST_AUTO_TEST_CASE(a_lens_whose_layers_are_not_described_is_refused) {
  const test_model model{random_model({})};
  const dlens_transport good{sizeof(dlens_transport), 0}, old{sizeof(dlens_transport) - 1, 1};
  const dlens_transport* const short_one[] = {&good, &old};
  const dlens_transport* const missing[] = {&good, nullptr};
  for (const dlens_transport* const* list : {short_one, missing}) {
    dlens_lens* lens = nullptr;
    BOOST_CHECK_EXCEPTION(
        depthlens::checked_call(model.get().lens_create, &model.get(), std::uint64_t{2}, list, &lens),
        depthlens::error, [](const depthlens::error& e) {
          return std::string(e.what()).find("layer 1 of a lens is not described") != std::string::npos;
        });
    BOOST_TEST(lens == nullptr);
  }
}

BOOST_AUTO_TEST_SUITE_END()
