// SPDX-License-Identifier: Apache-2.0
// Weights as stages on several devices: a copy on each, and of streamed ones two stages at a time.
#include "plugins/torch/stages.hpp"
#include "plugins/torch/known_ops.hpp"

#include "depthlens/reference/weights_view.hpp"
#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

BOOST_AUTO_TEST_SUITE(weight_stages_on_devices)

namespace {

using namespace depthlens;
using namespace depthlens::torch_backend;
using reference::random_model;
using reference::weights_view;

owned_architecture arch_of(const weights_view& view) { return checked_architecture(view.weights, known_ops); }

bool is_there(const weight_stages& stages, std::uint32_t stage, std::size_t device) {
  const model_weights& w = stages.weights(device);
  if (stage < w.blocks.size()) return w.blocks[stage].dense.down.weight().defined();
  return w.readouts[stage - w.blocks.size()].tiles.front().weight().defined();
}

void load(weight_stages& stages, std::uint32_t stage) {
  for (std::uint32_t part = 0; part < stages.parts(stage); ++part) stages.load(stage, part);
}

}  // namespace

BOOST_AUTO_TEST_CASE(two_stages_are_there_at_a_time_on_every_device) {
  const random_model model({.layers = 5});
  const weights_view view(model);
  weight_stages stages(view.weights, arch_of(view), {at::kCPU, at::kCPU}, at::kFloat, true);
  BOOST_TEST(stages.count() == 6u);
  for (int wave = 0; wave < 2; ++wave)
    for (std::uint32_t stage = 0; stage < stages.count(); ++stage) {
      load(stages, stage);
      for (std::size_t device = 0; device < 2; ++device)
        for (std::uint32_t other = 0; other < stages.count(); ++other) {
          const bool wanted = other == stage || other + 1 == stage;
          if (wanted || stage > 0) BOOST_TEST(is_there(stages, other, device) == wanted);
        }
    }
}

BOOST_AUTO_TEST_CASE(held_weights_are_all_there_on_every_device) {
  const random_model model({.layers = 3});
  const weights_view view(model);
  weight_stages held(view.weights, arch_of(view), {at::kCPU, at::kCPU}, at::kFloat, false);
  held.load_all(2);
  for (std::size_t device = 0; device < 2; ++device)
    for (std::uint32_t stage = 0; stage < held.count(); ++stage) BOOST_TEST(is_there(held, stage, device));
  const weight_stages one(view.weights, arch_of(view), {at::kCPU}, at::kFloat, false);
  BOOST_TEST(held.bytes() == 2 * one.bytes());
}

BOOST_AUTO_TEST_CASE(what_a_model_takes_is_known_from_its_shapes) {
  const random_model model({.layers = 7});
  const weights_view view(model);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const dlens_model_needs needs = needs_of(view.weights, place_on({at::kCPU}, type),
                                             {.size = sizeof(dlens_model_options), .threads = 1});
    const weight_stages held(view.weights, arch_of(view), {at::kCPU}, type, false);
    const weight_stages streamed(view.weights, arch_of(view), {at::kCPU}, type, true);
    BOOST_TEST(needs.held_bytes >= held.bytes());
    BOOST_TEST(needs.streamed_bytes >= streamed.bytes());
    BOOST_TEST(needs.held_bytes - held.bytes() == needs.streamed_bytes - streamed.bytes());  // being loaded
    BOOST_TEST(needs.stages == streamed.count());
  }
}

BOOST_AUTO_TEST_CASE(packs_of_a_gpu_are_sized_for_the_budget) {
  const random_model model({.layers = 7});
  const weights_view view(model);
  const model_place gpu{
      .kind = device_kind::cuda, .devices = 2, .element_bytes = 4, .device_bytes = std::uint64_t{80} << 30};
  dlens_model_options options{.size = sizeof(dlens_model_options), .threads = 4};
  const dlens_model_needs large = needs_of(view.weights, gpu, options);
  BOOST_TEST(large.device_bytes == gpu.device_bytes);
  BOOST_TEST(large.calls == 6u);
  BOOST_TEST(large.pack_tokens == 16384u);
  BOOST_TEST(4 * large.call_bytes + large.held_bytes < gpu.device_bytes);
  options.device_memory = large.streamed_bytes + (std::uint64_t{64} << 20);
  const dlens_model_needs small = needs_of(view.weights, gpu, options);
  BOOST_TEST(small.pack_tokens < large.pack_tokens);
  BOOST_TEST(small.pack_tokens >= 512u);
}

BOOST_AUTO_TEST_SUITE_END()
