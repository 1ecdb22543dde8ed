// SPDX-License-Identifier: Apache-2.0
// How much memory a forward call takes for its readout. Nothing as wide as the vocabulary is kept for a
// row, so a larger vocabulary takes no more, and more layers only what the states that are read take.
// Counts what operator new gives; what a backend takes elsewhere (device memory, oneDNN's code) is not
// seen.
#include "same_read.hpp"

#include "support/allocation_meter.hpp"

#include <boost/test/unit_test.hpp>

#include <cstddef>

using namespace depthlens::testing;

BOOST_AUTO_TEST_SUITE(readout_memory)

namespace {

// So many reads that stacks of rows (1024) are full with few layers as with many.
constexpr std::size_t n_reads = 320, slack = 192u << 10;

model_shape shape_of(std::uint32_t layers, std::uint32_t vocabulary) {
  return {.layers = layers,
          .width = 64,
          .heads = 2,
          .kv_heads = 1,
          .head_dim = 32,
          .inner = 96,
          .vocabulary = vocabulary,
          .rope_dims = 32};
}

// The most that one call holds, room for its readings included.
std::size_t peak_of(const model_shape& shape) {
  const random_model weights(shape);
  test_model model(weights);
  model.add_logit_lens();
  const pack p = pack_of(random_sequences({.vocabulary = 900}, n_reads, 4, 7));
  const depthlens::test::allocation_meter meter;
  model.forward(p);
  BOOST_TEST_MESSAGE(shape.layers << " layers, vocabulary " << shape.vocabulary << ": " << meter.peak()
                                  << " bytes");
  return meter.peak();
}

}  // namespace

BOOST_AUTO_TEST_CASE(peak_memory_of_a_readout_does_not_depend_on_the_vocabulary) {
  const std::size_t small = peak_of(shape_of(3, 1920)), large = peak_of(shape_of(3, 19200));
  BOOST_TEST(large <= small + slack);
  // One float for each logit of a read, without its layers, would already be seen.
  static_assert(n_reads * (19200 - 1920) * sizeof(float) > 4 * slack);
}

BOOST_AUTO_TEST_CASE(peak_memory_of_a_readout_grows_with_layers_by_the_states_and_readings_alone) {
  const std::size_t few = peak_of(shape_of(3, 1920)), many = peak_of(shape_of(15, 1920));
  const std::size_t state = 64 * sizeof(float), reading = (2 * 3 + 4) * sizeof(float);
  BOOST_TEST(many <= few + (15 - 3) * n_reads * (state + reading) + slack);
  static_assert((15 - 3) * n_reads * 1920 * sizeof(float) > 4 * slack);
}

BOOST_AUTO_TEST_SUITE_END()
