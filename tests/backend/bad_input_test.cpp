// SPDX-License-Identifier: Apache-2.0
// What a backend refuses, and with which status and words; and that models come and go without a trace.
#include "agreement.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace depthlens::testing;
using depthlens::status;

BOOST_AUTO_TEST_SUITE(bad_input)

namespace {

template <class Function>
void expect_error(Function&& fn, status code, const std::string& word) {
  BOOST_CHECK_EXCEPTION(fn(), depthlens::error, [&](const depthlens::error& e) {
    BOOST_TEST_MESSAGE(e.what());
    return e.code() == code && std::string(e.what()).find(word) != std::string::npos;
  });
}

pack good_pack() {
  pack p;
  const auto path = p.add_sequence({1, 2, 3, 4});
  p.add_read(path.back(), {-1, 5});
  return p;
}

}  // namespace

BOOST_AUTO_TEST_CASE(packs_that_are_not_trees_of_known_ids_are_refused) {
  const random_model weights({.max_positions = 10});
  test_model model(weights);
  model.add_logit_lens();
  const auto refused = [&](auto change, status code, const std::string& word) {
    pack p = good_pack();
    change(p);
    expect_error([&] { model.forward(p); }, code, word);
  };
  refused([](pack& p) { p.tokens[2] = 203; }, status::data, "id 203");
  refused([](pack& p) { p.tokens[0] = -1; }, status::data, "id -1");
  refused([](pack& p) { p.parent[1] = 1; }, status::internal, "parent");
  refused([](pack& p) { p.parent[3] = 7; }, status::internal, "parent");
  refused([](pack& p) { p.parent[2] = -2; }, status::internal, "parent");
  refused([](pack& p) { p.position[3] = 2; }, status::internal, "position");
  refused([](pack& p) { p.position[0] = 1; }, status::internal, "position");
  refused([](pack& p) { p.long_positions = 2, p.rope_long = {0, 0, 1, 0}; }, status::internal, "length");
  refused([](pack& p) { p.long_positions = 2, p.rope_long = {2, 2, 2, 2}; }, status::internal, "length");
  refused([](pack& p) { p.targets[1] = 203; }, status::data, "id 203");
  refused([](pack& p) { p.targets[1] = -2; }, status::data, "id -2");
  refused([](pack& p) { p.read_token[0] = 4; }, status::internal, "token 4");
  refused([](pack& p) { p.target_begin = {2, 1}; }, status::internal, "targets");
  refused([](pack& p) { p.top_k = 65; }, status::internal, "top_k");
  refused(
      [](pack& p) {
        p.add_sequence({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
      },
      status::data, "positions 0..9");
}

BOOST_AUTO_TEST_CASE(an_empty_pack_and_a_pack_without_reads_are_fine) {
  const random_model weights({});
  test_model model(weights);
  model.add_logit_lens();
  BOOST_TEST(model.forward(pack{}).final_top.empty());
  pack unread;
  unread.add_sequence({1, 2, 3});
  BOOST_TEST(model.forward(unread).final_top.empty());
}

BOOST_AUTO_TEST_CASE(weights_that_do_not_fit_the_architecture_are_refused_by_name) {
  const random_model weights({});
  const auto refused = [&](auto change, const std::string& word) {
    weights_view view(weights);
    change(view);
    expect_error([&] { loaded_model model(view.weights); }, status::data, word);
  };
  refused([](weights_view& v) { v.tensor("block.1.up").name.size -= 1; }, "block.1.up");
  refused([](weights_view& v) { v.tensor("block.2.q").shape[0] += 1; }, "block.2.q");
  refused([](weights_view& v) { v.tensor("embed").bytes -= 4; }, "embed");
  refused([](weights_view& v) { v.tensor("unembed").dtype = 77; }, "unembed");
  refused([](weights_view& v) { v.tensor("final_norm").n_dims = 2; }, "final_norm");
  refused([](weights_view& v) { v.tensor("block.0.o").data = nullptr; }, "block.0.o");
  refused([](weights_view& v) { v.attention[0].n_kv_heads = 3; }, "heads");
  refused([](weights_view& v) { v.architecture.d_model = 0; }, "size");
  refused([](weights_view& v) { v.attention[0].rope_dims = 14; }, "rotary");
  refused([](weights_view& v) { v.attention[0].rope_inverse_frequency = nullptr; }, "rotary");
  refused(
      [](weights_view& v) {
        v.attention[0].rope_long_inverse_frequency = v.attention[0].rope_inverse_frequency;
      },
      "longer prompts");
}

BOOST_AUTO_TEST_CASE(a_clamped_activation_without_a_gate_is_refused_by_name) {
  const auto refused = [](const model_shape& shape, const std::string& with) {
    const random_model weights(shape);
    const weights_view view(weights);
    expect_error([&] { loaded_model model(view.weights); }, status::unavailable, "\"clamped\" with " + with);
  };
  constexpr std::uint32_t clamped = DLENS_ACTIVATION_CLAMPED;
  refused({.activation = clamped, .gated = false}, "\"no_gate\", having no tensor block.0.gate");
  refused({.activation = clamped, .gated = false, .experts = expert_shape{.dense_layers = 3}}, "\"no_gate\"");
  refused({.activation = clamped, .gated = false, .experts = expert_shape{}},
          "\"no_gate\", having no tensor block.0.expert.0.gate");
  refused({.activation = clamped, .layer_inputs = 24}, "\"layer_inputs\"");
}

BOOST_AUTO_TEST_CASE(a_device_that_does_not_exist_is_not_available) {
  const random_model weights({});
  weights_view view(weights);
  expect_error([&] { loaded_model model(view.weights, 1, "abacus"); }, status::unavailable, "abacus");
  expect_error([&] { loaded_model model(view.weights, 1, "auto", "f3"); }, status::unavailable, "f3");
}

BOOST_AUTO_TEST_CASE(probe_says_that_this_backend_can_run) {
  dlens_error reason{};
  reason.size = sizeof reason;
  BOOST_TEST(backend().probe(&reason) > 0u);
}

BOOST_AUTO_TEST_CASE(a_model_says_what_it_is) {
  const random_model weights({});
  test_model model(weights);
  const dlens_model_info& info = *model.get().info(&model.get());
  BOOST_TEST(info.size >= sizeof(dlens_model_info));
  BOOST_TEST(info.pack_tokens >= 1u);
  BOOST_TEST(info.weight_bytes >= 4u * 203u * 48u);
  BOOST_TEST(info.bytes_per_token >= 4u * 48u);
  BOOST_TEST(std::string(info.weights) != "");
  BOOST_TEST(std::string(info.device) != "");
}

BOOST_AUTO_TEST_CASE(room_for_a_token_that_is_read_grows_with_the_layers) {
  const auto room = [](std::uint32_t layers) {
    const random_model weights({.layers = layers});
    test_model model(weights);
    return model.get().info(&model.get())->bytes_per_read;
  };
  BOOST_TEST(room(11) >= room(3) + 8 * 48 * sizeof(float));
}

BOOST_AUTO_TEST_CASE(fifty_models_come_and_go) {
  const random_model weights({.layers = 1});
  std::vector<float> first;
  for (int i = 0; i < 50; ++i) {
    test_model model(weights, static_cast<std::uint32_t>(1 + i % 3));
    model.add_logit_lens();
    const pack_readings got = model.forward(good_pack());
    if (first.empty()) first = got.lenses[0].logprob;
    BOOST_TEST_REQUIRE(got.lenses[0].logprob == first, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_SUITE_END()
