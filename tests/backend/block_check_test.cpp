// SPDX-License-Identifier: Apache-2.0
// The check of a loaded model's blocks: every form passes it, and where the backend computes anything else
// than what the check is told of a model, it is found.
#include "model/block_check.hpp"
#include "agreement.hpp"
#include "architectures.hpp"
#include "further_architectures.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <functional>

using namespace depthlens;
using namespace depthlens::testing;

BOOST_AUTO_TEST_SUITE(block_checks)

namespace {

// The check is told `said`; the backend computes `model`.
block_check_result checked(const test_model& model, const dlens_weights& said,
                           const block_check_options& o = {}) {
  const block_check check(said, 3, o);
  pack p;
  for (const std::uint32_t token : p.add_sequence(check.ids())) p.add_read(token, {});
  std::vector<float> hidden = check.room();
  model.forward(p, nullptr, 0, nullptr, {.hidden = hidden.data()});
  return check.run(hidden);
}

block_check_result checked(const model_shape& shape, const char* precision = "f32",
                           const block_check_options& o = {}) {
  const random_model weights(shape);
  return checked(test_model(weights, 2, precision), weights_view(weights).weights, o);
}

std::string words(const block_check_result& r) { return r.fault ? r.fault->what : "no fault"; }

void expect_pass(const std::vector<named_shape>& shapes) {
  for (const named_shape& s : shapes) {
    BOOST_TEST_CONTEXT(s.name) {
      const block_check_result r = checked(s.shape);
      BOOST_TEST(r.given);
      BOOST_TEST(!r.fault, words(r));
      BOOST_TEST(!r.checked.empty());
      BOOST_TEST(r.not_checked.empty());
      BOOST_TEST(r.largest_difference < 2e-5);
      const block_check_result rounded = checked(s.shape, "bf16", {.unit = std::ldexp(1.0, -9)});
      BOOST_TEST(!rounded.fault, words(rounded));
      BOOST_TEST_MESSAGE(s.name << ": f32 " << r.largest_difference << ", bf16 " << rounded.largest_difference
                                << ", unchecked " << rounded.not_checked.size());
    }
  }
}

// One detail in which the check is told something else.
struct other_model {
  const char* name;
  model_shape shape;
  std::function<void(random_model&)> weights;
  std::function<void(weights_view&)> numbers;
};

void expect_found(const std::vector<other_model>& others) {
  for (const other_model& o : others) {
    BOOST_TEST_CONTEXT(o.name) {
      const random_model weights(o.shape);
      const test_model backend(weights);
      random_model told = weights;
      if (o.weights) o.weights(told);
      weights_view said(told);
      if (o.numbers) o.numbers(said);
      const block_check_result r = checked(backend, said.weights);
      BOOST_TEST(r.given);
      BOOST_TEST(r.fault.has_value());
      BOOST_TEST_MESSAGE(o.name << ": " << words(r));
    }
  }
}

std::function<void(random_model&)> times(const char* tensor, float factor) {
  return [=](random_model& m) {
    for (float& x : m.tensors.at(tensor).values) x *= factor;
  };
}

void zero_router(random_model& m, std::uint32_t layer) {
  times(cat("block.", layer, ".router").c_str(), 0)(m);
}

const model_shape deepseek{.rope_kind = DLENS_ROPE_INTERLEAVED,
                           .rope_dims = 4,
                           .seed = 201,
                           .latent = latent_shape{.q_rank = 14},
                           .experts = expert_shape{.n = 8,
                                                   .used = 3,
                                                   .shared = 24,
                                                   .router = DLENS_ROUTER_SIGMOID,
                                                   .group_score = DLENS_GROUPS_BEST_TWO,
                                                   .groups = 4,
                                                   .groups_used = 2,
                                                   .normalised = true,
                                                   .correction = true,
                                                   .dense_layers = 1,
                                                   .scale = 2.5}};

}  // namespace

BOOST_AUTO_TEST_CASE(every_form_passes) {
  expect_pass(single_parts());
  expect_pass(families());
  expect_pass(further_shapes());
}

BOOST_AUTO_TEST_CASE(attention_that_is_another_is_found) {
  const model_shape plain{.seed = 200}, windows{.seed = 201, .windows = {3, 0, 3}};
  const model_shape shared{.layers = 5, .seed = 202, .shared_kv_layers = 2};
  expect_found({
      {"a window", windows, {}, [](weights_view& v) { v.attention[0].window = 2; }},
      {"no window", windows, {}, [](weights_view& v) { v.attention[2].window = v.attention[0].window = 0; }},
      {"the scale of scores", plain, {}, [](weights_view& v) { v.attention[0].scale *= 1.01; }},
      {"the pairing of rotations",
       plain,
       {},
       [](weights_view& v) { v.attention[0].rope_kind = DLENS_ROPE_INTERLEAVED; }},
      {"rotary frequencies", plain, [](random_model& m) { m.inverse_frequency[1] *= 1.01F; }, {}},
      {"the scale of rotations", plain, {}, [](weights_view& v) { v.attention[0].rope_scale = 1.01; }},
      {"dimensions that are rotated", plain, {}, [](weights_view& v) { v.attention[0].rope_dims = 10; }},
      {"a cap of scores",
       {.seed = 203, .attention_softcap = 1.5},
       {},
       [](weights_view& v) { v.attention[0].softcap = 0; }},
      {"a clip", {.seed = 204, .clip = 0.6}, {}, [](weights_view& v) { v.attention[0].clip = 0.7; }},
      {"sinks", {.seed = 205, .sinks = true}, times("block.0.sinks", 0.9F), {}},
      {"a gate", {.seed = 206, .attn_gate = true}, times("block.0.attn_gate", 0.9F), {}},
      {"norms of heads", {.seed = 207, .qk = qk_norm::each_head}, times("block.0.k_norm", 1.01F), {}},
      {"ALiBi",
       {.rope_dims = 0, .seed = 208, .alibi = DLENS_ALIBI},
       [](random_model& m) { m.alibi_slopes[0] *= 1.1F; },
       {}},
      {"shared keys and values", shared, {}, [](weights_view& v) { v.attention[3].kv_layer = 1; }},
      {"keys of low rank", deepseek, times("block.0.k_rope", 1.01F), {}},
      {"the epsilon of low rank",
       deepseek,
       {},
       [](weights_view& v) { v.attention[0].latent_norm_eps = 0.01; }},
      {"values", plain, times("block.0.v", 1.001F), {}},
  });
}

BOOST_AUTO_TEST_CASE(delta_rules_that_are_others_are_found) {
  const model_shape delta{.seed = 210, .delta = delta_shape{}};
  const model_shape fewer{.seed = 211, .delta = delta_shape{.layers = {false, true, false}}};
  expect_found({
      {"the decay", delta, times("block.0.decay", 1.05F), {}},
      {"the decay of a later block", fewer, times("block.1.decay", 1.05F), {}},
      {"the bias of steps", delta, times("block.0.step_bias", 1.05F), {}},
      {"the convolution",
       delta,
       [](random_model& m) { m.tensors.at("block.0.delta_conv").values[0] += 0.5F; },
       {}},
      {"beta", delta, times("block.0.delta_beta", 1.05F), {}},
      {"the norm", delta, times("block.0.delta_norm", 1.01F), {}},
      {"the gate", delta, times("block.0.delta_gate", 1.01F), {}},
      {"the norm's epsilon", delta, {}, [](weights_view& v) { v.architecture.norm_eps = 1e-3; }},
  });
}

BOOST_AUTO_TEST_CASE(experts_that_are_others_are_found) {
  const model_shape plain{.seed = 220, .experts = expert_shape{}};
  const model_shape normed{.seed = 221,
                           .experts = expert_shape{.normalised = true, .norms = true, .dense_too = true}};
  const model_shape router{.seed = 222, .experts = expert_shape{.shared = 31, .shared_router = true}};
  expect_found({
      {"normalised weights", plain, {}, [](weights_view& v) { v.experts[0].normalised = 1; }},
      {"how many are used", plain, {}, [](weights_view& v) { v.experts[0].n_used = 3; }},
      {"the router's function",
       plain,
       {},
       [](weights_view& v) { v.experts[0].router = DLENS_ROUTER_SIGMOID; }},
      {"a softmax of the chosen",
       plain,
       {},
       [](weights_view& v) { v.experts[0].router = DLENS_ROUTER_CHOSEN_SOFTMAX; }},
      {"their scale", deepseek, {}, [](weights_view& v) { v.experts[1].scale = 2; }},
      {"their groups", deepseek, {}, [](weights_view& v) { v.experts[1].group_score = DLENS_GROUPS_NONE; }},
      {"the correction", deepseek, times("block.1.router_correction", -1), {}},
      {"the shared expert", deepseek, times("block.1.shared_down", 0.9F), {}},
      {"the shared expert's router", router, times("block.0.shared_router", 0), {}},
      {"the norm of the router", normed, times("block.0.router_norm", 1.3F), {}},
      {"the norm of experts", normed, times("block.0.expert_post_norm", 1.01F), {}},
      {"the scale of each",
       normed,
       [](random_model& m) {
         m.tensors.at("block.0.expert_scale").values = {1, 2, 3, 4, 5};
       },
       {}},
      {"the router", plain, times("block.0.router", -1), {}},
  });
}

BOOST_AUTO_TEST_CASE(blocks_that_are_put_together_otherwise_are_found) {
  const model_shape plain{.seed = 230}, inputs{.seed = 231, .layer_inputs = 24};
  const model_shape scaled{.seed = 232, .post_norms = true, .residual_scale = 0.4, .output_scale = 0.9};
  const model_shape clamped{.seed = 233, .activation = DLENS_ACTIVATION_CLAMPED};
  const auto in_parallel = [](weights_view& v) { v.blocks[0].form = DLENS_BLOCK_PARALLEL; };
  expect_found({
      {"the form", plain, {}, in_parallel},
      {"the activation", plain, {}, [](weights_view& v) { v.blocks[0].activation = DLENS_ACTIVATION_GELU; }},
      {"a limit", clamped, {}, [](weights_view& v) { v.blocks[0].activation_limit = 1.1; }},
      {"residuals", scaled, {}, [](weights_view& v) { v.blocks[0].residual_scale = 0.41; }},
      {"outputs", scaled, {}, [](weights_view& v) { v.blocks[0].output_scale = 0.91; }},
      {"norms behind", scaled, times("block.0.ffn_post_norm", 1.01F), {}},
      {"the kind of norms", plain, {}, [](weights_view& v) { v.architecture.norm_kind = DLENS_NORM_LAYER; }},
      {"an epsilon", plain, {}, [](weights_view& v) { v.architecture.norm_eps = 1e-3; }},
      {"an offset", plain, {}, [](weights_view& v) { v.architecture.norm_offset = 1; }},
      {"inputs of layers", inputs, times("layer_embed_norm", 1.05F), {}},
      {"their tokens", inputs, {}, [](weights_view& v) { v.layer_inputs.embed_scale *= 1.01; }},
      {"their projection", inputs, times("layer_projection", -1), {}},
      {"the embedding", plain, {}, [](weights_view& v) { v.architecture.embed_scale = 1.01; }},
      {"positions",
       {.rope_dims = 0, .seed = 234, .learned_positions = true, .position_offset = 2},
       {},
       [](weights_view& v) { v.architecture.position_offset = 1; }},
      {"the dense part", plain, times("block.0.down", 1.001F), {}},
  });
}

BOOST_AUTO_TEST_CASE(a_fault_names_the_block_its_ops_and_the_numbers) {
  const random_model weights({.seed = 240, .windows = {0, 3, 0}});
  weights_view said(weights);
  said.attention[1].window = 2;
  const block_check_result r = checked(test_model(weights), said.weights);
  BOOST_REQUIRE(r.fault.has_value());
  BOOST_TEST(r.fault->layer == 1U);
  BOOST_TEST((r.checked == std::vector<std::uint32_t>{0}));
  for (const char* part : {"at position 2", "window, rope_half", "by the weights it is"})
    BOOST_TEST(r.fault->what.find(part) != std::string::npos, r.fault->what);
}

BOOST_AUTO_TEST_CASE(experts_between_which_roundings_decide_are_left_out) {
  random_model weights({.seed = 241, .experts = expert_shape{}});
  zero_router(weights, 0);
  block_check_result r = checked(test_model(weights), weights_view(weights).weights);
  BOOST_TEST((r.checked == std::vector<std::uint32_t>{1}));
  BOOST_TEST(r.not_checked.empty());
  zero_router(weights, 1);
  zero_router(weights, 2);
  r = checked(test_model(weights), weights_view(weights).weights);
  BOOST_TEST(!r.fault, words(r));
  BOOST_TEST(r.checked.empty());
  BOOST_TEST((r.not_checked == std::vector<std::uint32_t>{0}));
}

BOOST_AUTO_TEST_CASE(kinds_that_come_after_the_first_blocks_are_said_not_to_be_checked) {
  const block_check_result r = checked(deepseek, "f32", {.blocks = 1});
  BOOST_TEST((r.checked == std::vector<std::uint32_t>{0}));
  BOOST_TEST((r.not_checked == std::vector<std::uint32_t>{1}));
}

BOOST_AUTO_TEST_CASE(a_backend_that_gives_no_states_is_not_judged_by_them) {
  const random_model weights({.seed = 242});
  const weights_view said(weights);
  const block_check check(said.weights, 3, {});
  const block_check_result r = check.run(check.room());
  BOOST_TEST(!r.given);
  BOOST_TEST(!r.fault);
}

BOOST_AUTO_TEST_CASE(states_that_are_no_numbers_are_told_from_wrong_ones) {
  random_model weights({.seed = 243});
  weights.tensors.at("block.0.down").values[5] = std::numeric_limits<float>::quiet_NaN();
  const block_check_result r = checked(test_model(weights), weights_view(weights).weights);
  BOOST_REQUIRE(r.fault.has_value());
  BOOST_TEST(r.fault->not_a_number);
  // A row of the embedding that no token of the check has to be.
  random_model row({.tied = false, .seed = 244});
  const weights_view view(row);
  const block_check first(view.weights, 3, {});
  for (std::size_t i = 0; i < row.shape.width; ++i)
    row.tensors.at("embed").values[static_cast<std::size_t>(first.ids()[1]) * row.shape.width + i] = NAN;
  const block_check_result passed = checked(test_model(row), weights_view(row).weights);
  BOOST_TEST(!passed.fault, words(passed));
}

BOOST_AUTO_TEST_SUITE_END()
