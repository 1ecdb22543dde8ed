// SPDX-License-Identifier: Apache-2.0
// A reading is the same to the bit whatever else is in the pack, in whatever order, and on however many
// threads.
#include "agreement.hpp"
#include "same_read.hpp"

#include <boost/test/unit_test.hpp>

#include <thread>

using namespace depthlens::testing;

BOOST_AUTO_TEST_SUITE(bit_identity)

namespace {

const model_shape shapes[] = {
    {.seed = 11},
    {.layers = 2,
     .width = 72,
     .heads = 9,
     .kv_heads = 3,
     .head_dim = 8,
     .inner = 100,
     .vocabulary = 1500,
     .rope_kind = DLENS_ROPE_INTERLEAVED,
     .rope_dims = 8,
     .biased = true,
     .seed = 12},
    {.layers = 2,
     .width = 35,
     .heads = 5,
     .kv_heads = 5,
     .head_dim = 7,
     .inner = 51,
     .vocabulary = 997,
     .rope_dims = 6,
     .tied = false,
     .seed = 13},
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_tree_of_sequences_reads_like_each_sequence_alone) {
  for (const model_shape& shape : shapes) {
    const random_model weights(shape);
    test_model model(weights);
    model.add_logit_lens();
    const sequences texts = random_sequences(shape, 30, 60, shape.seed);
    const pack together = pack_of(texts);
    BOOST_TEST(count_differences(model, texts, together, model.forward(together)) == 0u);
  }
}

BOOST_AUTO_TEST_CASE(texts_of_both_lengths_that_begin_alike_read_in_one_pack_as_alone) {
  const random_model weights({.seed = 15, .long_positions = 12});
  test_model model(weights);
  model.add_logit_lens();
  const sequences made = random_sequences(weights.shape, 1, 200, 16);
  std::vector<std::int32_t> text = made[0];
  text.resize(40, 7);
  sequences texts;
  for (const std::ptrdiff_t n : {1, 11, 12, 13, 14, 25, 40}) {
    texts.emplace_back(text.begin(), text.begin() + n);
    texts.push_back(texts.back());
    texts.back().push_back(5);
  }
  const pack together = pack_of(texts, 12);
  const pack_readings got = model.forward(together);
  BOOST_TEST(count_differences(model, texts, together, got) == 0u);
  expect_agreement(compare_with_reference(weights, texts, {logit_lens(weights.shape.layers)}));
  // Which form it is counts.
  const pack longer = pack_of({texts[6]}, 12);
  pack shorter = longer;
  for (std::uint8_t& form : shorter.rope_long) form ^= 1;
  BOOST_TEST(!same_read(longer, model.forward(longer), 0, shorter, model.forward(shorter), 0));
}

BOOST_AUTO_TEST_CASE(the_order_of_a_pack_changes_nothing) {
  for (const model_shape& shape : shapes) {
    const random_model weights(shape);
    test_model model(weights);
    model.add_logit_lens();
    sequences texts = random_sequences(shape, 25, 50, shape.seed + 1);
    const pack in_order = pack_of(texts);
    const pack_readings first = model.forward(in_order);
    // Breadth first: token by token of all texts, so that no sequence is contiguous.
    pack spread;
    for (std::size_t length = 1; length <= 50; ++length) {
      for (const auto& ids : texts) {
        if (ids.size() >= length)
          spread.add_sequence({ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(length)});
      }
    }
    for (std::size_t i = texts.size(); i-- > 0;)
      spread.add_read(spread.add_sequence(texts[i]).back(), {-1, texts[i][0]});
    const pack_readings second = model.forward(spread);
    std::size_t different = 0;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      different += same_read(in_order, first, i, spread, second, texts.size() - 1 - i) ? 0 : 1;
    }
    BOOST_TEST(different == 0u);
  }
}

BOOST_AUTO_TEST_CASE(packs_of_one_to_six_hundred_tokens_read_alike) {
  const random_model weights({.layers = 2, .seed = 14});
  test_model model(weights);
  model.add_logit_lens();
  sequences texts{{1, 2, 3, 4, 5, 6, 7}};
  const pack alone = pack_of(texts);
  const pack_readings first = model.forward(alone);
  std::size_t different = 0;
  for (std::size_t size = 1; size <= 600; size += size < 40 ? 1 : 37) {
    // The others come first, so that the one that is compared lies at another place each time.
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

BOOST_AUTO_TEST_CASE(calls_on_several_threads_read_like_calls_on_one) {
  const random_model weights(shapes[1]);
  test_model model(weights, 4), model_for_one(weights, 1);
  model.add_logit_lens();
  model_for_one.add_logit_lens();
  std::vector<pack> packs;
  std::vector<pack_readings> expected;
  for (std::uint32_t i = 0; i < 8; ++i) {
    packs.push_back(pack_of(random_sequences(shapes[1], 12, 40, 50 + i)));
    expected.push_back(model_for_one.forward(packs.back()));
  }
  std::vector<pack_readings> got(packs.size());
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = t; i < packs.size(); i += 4) got[i] = model.forward(packs[i]);
    });
  }
  for (std::thread& t : threads) t.join();
  std::size_t different = 0;
  for (std::size_t i = 0; i < packs.size(); ++i) {
    for (std::size_t read = 0; read < packs[i].read_token.size(); ++read) {
      different += same_read(packs[i], expected[i], read, packs[i], got[i], read) ? 0 : 1;
    }
  }
  BOOST_TEST(different == 0u);
}

BOOST_AUTO_TEST_CASE(the_same_position_read_twice_gives_the_same_twice) {
  const random_model weights(shapes[0]);
  test_model model(weights);
  model.add_logit_lens();
  pack p;
  const auto path = p.add_sequence({9, 8, 7, 6, 5});
  p.add_read(path[4], {-1, 3});
  p.add_read(path[2], {1});
  p.add_read(path[4], {-1, 3});
  const pack_readings got = model.forward(p);
  BOOST_TEST(same_read(p, got, 0, p, got, 2));
}

BOOST_AUTO_TEST_CASE(a_read_without_targets_and_a_token_that_nobody_reads_are_fine) {
  const random_model weights(shapes[0]);
  test_model model(weights);
  model.add_logit_lens();
  pack p;
  const auto path = p.add_sequence({9, 8, 7, 6, 5});
  p.add_read(path[1], {});
  pack shorter;
  shorter.add_read(shorter.add_sequence({9, 8}).back(), {});
  BOOST_TEST(same_read(p, model.forward(p), 0, shorter, model.forward(shorter), 0));
}

BOOST_AUTO_TEST_SUITE_END()
