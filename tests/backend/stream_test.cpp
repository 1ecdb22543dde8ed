// SPDX-License-Identifier: Apache-2.0
// A model whose weights are streamed stage by stage reads to the bit as one that holds them. Backends that
// hold all weights have nothing to show here but that they say so.
#include "architectures.hpp"
#include "further_architectures.hpp"
#include "same_read.hpp"

#include <boost/test/unit_test.hpp>

using namespace depthlens::testing;

BOOST_AUTO_TEST_SUITE(streamed_weights)

namespace {

bool can_stream(const random_model& weights) {
  const dlens_backend& b = backend();
  if (!DLENS_HAS(dlens_backend, &b, needs) || b.needs == nullptr) return false;
  const weights_view view(weights);
  const dlens_model_options options{
      .size = sizeof options, .threads = 1, .device = "auto", .precision = "f32"};
  dlens_model_needs needs{};
  needs.size = sizeof needs;
  depthlens::checked_call(b.needs, &view.weights, &options, &needs);
  return needs.stages > 0;
}

// Reads of some texts at all positions, with the logit lens and a trained one.
pack everything(const sequences& texts) {
  pack p;
  for (const auto& ids : texts) {
    const auto path = p.add_sequence(ids);
    for (std::size_t i = 0; i < path.size(); ++i) p.add_read(path[i], {-1, ids[i], 0});
  }
  return p;
}

void add_lenses(test_model& model, const model_shape& shape) {
  model.add_logit_lens();
  std::vector<float> a(std::size_t{shape.width} * shape.width), b(shape.width, 0.25f);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 7) / 40.0f - 0.05f;
  std::vector<transport_spec> layers{{0, DLENS_TRANSPORT_RESIDUAL, a, b}};
  if (shape.layers > 1) layers.push_back({shape.layers - 1, DLENS_TRANSPORT_FULL, a, {}});
  layers.push_back({shape.layers, DLENS_TRANSPORT_CONSTANT, {}, b});
  model.add_lens(layers);
}

std::size_t count_differences(const model_shape& shape, const char* precision = "f32") {
  const random_model weights(shape);
  test_model held(weights, 2, precision, "auto", false), streamed(weights, 2, precision, "auto", true);
  BOOST_TEST(!held.streamed());
  BOOST_TEST_REQUIRE(streamed.streamed());
  add_lenses(held, shape);
  add_lenses(streamed, shape);
  const pack p = everything(random_sequences(shape, 6, 24, shape.seed + 1));
  const pack_readings a = held.forward(p), b = streamed.forward(p);
  std::size_t different = 0;
  for (std::size_t read = 0; read < p.read_token.size(); ++read)
    different += same_read(p, a, read, p, b, read) ? 0 : 1;
  return different;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_architecture_reads_as_with_held_weights) {
  if (!can_stream(random_model({}))) return;
  for (const auto& shapes : {single_parts(), families()})
    for (const named_shape& s : shapes) BOOST_TEST_CONTEXT(s.name) {
        BOOST_TEST(count_differences(s.shape) == 0u);
      }
}

BOOST_AUTO_TEST_CASE(every_further_form_reads_as_with_held_weights) {
  if (!can_stream(random_model({}))) return;
  for (const named_shape& s : further_shapes()) BOOST_TEST_CONTEXT(s.name) {
      BOOST_TEST(count_differences(s.shape) == 0u);
    }
}

BOOST_AUTO_TEST_CASE(an_unembedding_of_several_stages_reads_as_a_whole_one) {
  if (!can_stream(random_model({}))) return;
  const model_shape shape{.layers = 2,
                          .vocabulary = 3 * 960 + 17,
                          .tied = false,
                          .seed = 7,
                          .biased_unembed = true,
                          .final_softcap = 20};
  const random_model weights(shape);
  const test_model streamed(weights, 1, "f32", "auto", true);
  BOOST_TEST(streamed.get().info(&streamed.get())->stages > shape.layers + 1);
  BOOST_TEST(count_differences(shape) == 0u);
  BOOST_TEST(count_differences(shape, "bf16") == 0u);
}

BOOST_AUTO_TEST_CASE(two_stages_are_in_memory_at_a_time) {
  const model_shape shape{.layers = 40, .width = 96, .heads = 4, .kv_heads = 4, .head_dim = 24, .inner = 256};
  const random_model weights(shape);
  if (!can_stream(weights)) return;
  const test_model held(weights, 1, "f32", "auto", false), streamed(weights, 1, "f32", "auto", true);
  const auto bytes = [](const test_model& m) { return m.get().info(&m.get())->weight_bytes; };
  BOOST_TEST(bytes(held) >= 40u * 4u * (4u * 96u * 96u + 3u * 96u * 256u));
  BOOST_TEST(bytes(streamed) < bytes(held) / 15);
}

BOOST_AUTO_TEST_CASE(blocks_left_out_at_the_end_pass_their_states_on) {
  const model_shape shape{.layers = 3, .seed = 19};
  const random_model weights(shape);
  if (!can_stream(weights)) return;
  const test_model model(weights, 1, "f32", "auto", true);
  const dlens_model* const m = &model.get();
  pack p;
  p.add_read(p.add_sequence({5, 6, 7}).back(), {-1});
  const std::size_t d = shape.width;
  const auto states_after = [&](std::uint32_t blocks) {
    std::vector<float> hidden((shape.layers + 1) * d);
    std::int32_t top = 0;
    dlens_batch batch = model.batch_of(p);
    batch.hidden = hidden.data();
    dlens_pass* pass = nullptr;
    depthlens::checked_call(m->pass_begin, m, &std::as_const(batch), &top,
                            static_cast<const dlens_readings* const*>(nullptr), &pass);
    for (std::uint32_t stage = 0; stage < m->info(m)->stages; ++stage) {
      if (stage >= blocks && stage < shape.layers) continue;
      for (std::uint32_t part = 0; part < m->stage_parts(m, stage); ++part)
        depthlens::checked_call(m->stage_load, m, stage, part);
      depthlens::checked_call(m->pass_run, m, pass, stage, static_cast<const dlens_prefix*>(nullptr),
                              static_cast<dlens_prefix**>(nullptr));
    }
    m->pass_end(m, pass);
    return hidden;
  };
  const std::vector<float> all = states_after(3);
  for (std::uint32_t blocks = 0; blocks < 3; ++blocks) {
    const std::vector<float> some = states_after(blocks);
    for (std::uint32_t layer = 0; layer <= shape.layers; ++layer)
      for (std::size_t i = 0; i < d; ++i)
        BOOST_TEST_REQUIRE(some[layer * d + i] == all[std::min(layer, blocks) * d + i],
                           "layer " << layer << " of " << blocks << " blocks");
  }
}

BOOST_AUTO_TEST_SUITE_END()
