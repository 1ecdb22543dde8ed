// SPDX-License-Identifier: Apache-2.0
// Tokens that continue a kept path read to the bit as if their ancestors were in the pack, in every
// architecture. Backends that keep no prefixes have nothing to show here but that they say so.
#include "architectures.hpp"
#include "same_read.hpp"

#include <boost/test/unit_test.hpp>

#include <thread>

using namespace depthlens::testing;

BOOST_AUTO_TEST_SUITE(kept_prefixes)

namespace {

using ids = std::vector<std::int32_t>;

// A kept path with its owner.
class kept_path {
 public:
  explicit kept_path(const test_model& model) : model_(model) {}
  ~kept_path() { release(); }
  kept_path(const kept_path&) = delete;

  dlens_prefix** place() { return &prefix_; }
  const dlens_prefix* get() const { return prefix_; }
  void release() {
    if (prefix_) model_.release(prefix_);
    prefix_ = nullptr;
  }

 private:
  const test_model& model_;
  dlens_prefix* prefix_ = nullptr;
};

bool keeps_prefixes(const test_model& model) {
  const bool keeps = model.get().prefix_release != nullptr;
  BOOST_TEST((model.get().info(&model.get())->prefix_bytes_per_token > 0) == keeps);
  return keeps;
}

ids made_text(std::size_t n, std::uint32_t vocabulary, std::uint32_t seed) {
  std::mt19937 bits(seed);
  ids out(n);
  for (std::int32_t& id : out) id = static_cast<std::int32_t>(bits() % vocabulary);
  return out;
}

// The first n ids of a text, then others.
ids branch(const ids& text, std::size_t n, const ids& more) {
  ids out(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(n));
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

// Adds a branch behind a kept path of text and reads its last token.
void add_branch(pack& p, std::size_t n, const ids& more, std::uint8_t is_long = 0) {
  auto at = static_cast<std::int32_t>(p.add_behind_prefix(more[0], static_cast<std::int32_t>(n), is_long));
  for (std::size_t i = 1; i < more.size(); ++i) {
    p.add_token(more[i], at, is_long);
    at = static_cast<std::int32_t>(p.tokens.size() - 1);
  }
  p.add_read(static_cast<std::uint32_t>(at), {-1, 2});
}

bool reads_as_alone(const test_model& model, const ids& whole, const pack& p, const pack_readings& got,
                    std::size_t read) {
  pack alone;
  alone.long_positions = p.long_positions;
  alone.add_read(alone.add_sequence(whole).back(), {-1, 2});
  return same_read(alone, model.forward(alone), 0, p, got, read);
}

// How many of the branches at these depths of a text read otherwise than alone.
std::size_t count_different_branches(const model_shape& shape, const std::vector<std::size_t>& depths) {
  const random_model weights(shape);
  test_model model(weights);
  model.add_logit_lens();
  if (!keeps_prefixes(model)) return 0;
  const ids text = made_text(45, shape.vocabulary, shape.seed);
  pack trunk;
  trunk.long_positions = shape.long_positions;
  const auto path = trunk.add_sequence(text);
  trunk.add_read(path[20], {-1});
  kept_path kept(model);
  model.forward(trunk, nullptr, path.back(), kept.place());
  pack p;
  p.long_positions = shape.long_positions;
  sequences wholes;
  for (const std::size_t n : depths) {
    const auto seed = static_cast<std::uint32_t>(n) + 900;
    // Of the text's form, where there are two.
    const ids more = made_text(1 + n % 7 + shape.long_positions, shape.vocabulary, seed);
    add_branch(p, n, more, shape.long_positions > 0 ? 1 : 0);
    wholes.push_back(branch(text, n, more));
  }
  const pack_readings got = model.forward(p, kept.get());
  std::size_t different = 0;
  for (std::size_t i = 0; i < wholes.size(); ++i) {
    different += reads_as_alone(model, wholes[i], p, got, i) ? 0 : 1;
  }
  return different;
}

}  // namespace

BOOST_AUTO_TEST_CASE(branches_of_a_kept_path_read_as_whole_texts_in_every_architecture) {
  for (const auto& shapes : {single_parts(), families()}) {
    for (const named_shape& s : shapes) {
      BOOST_TEST_CONTEXT(s.name) {
        BOOST_TEST(count_different_branches(s.shape, {45, 44, 30, 30, 17, 16, 1}) == 0u);
        BOOST_TEST(count_different_branches(s.shape, {3, 45, 1, 29, 45, 16}) == 0u);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_path_that_continues_another_stays_whole_without_it) {
  const model_shape shape{.seed = 81, .windows = {9, 0, 20}};
  const random_model weights(shape);
  test_model model(weights);
  model.add_logit_lens();
  if (!keeps_prefixes(model)) return;
  const ids text = made_text(60, shape.vocabulary, 5);
  kept_path first(model), second(model), third(model);
  pack a, b, c;
  a.add_sequence({text.begin(), text.begin() + 25});
  model.forward(a, nullptr, 24, first.place());  // keeps, reads nothing
  add_branch(b, 20, {text.begin() + 20, text.begin() + 40});
  BOOST_TEST(reads_as_alone(model, {text.begin(), text.begin() + 40}, b,
                            model.forward(b, first.get(), 19, second.place()), 0));
  first.release();
  add_branch(c, 40, {text.begin() + 40, text.end()});
  model.forward(c, second.get(), 10, third.place());  // keeps positions 40 to 50
  second.release();
  pack p;
  sequences wholes;
  for (const std::size_t n : {12U, 51U, 20U, 40U, 33U}) {
    add_branch(p, n, {7, 8, 9});
    wholes.push_back(branch(text, n, {7, 8, 9}));
  }
  const pack_readings got = model.forward(p, third.get());
  for (std::size_t i = 0; i < wholes.size(); ++i) BOOST_TEST(reads_as_alone(model, wholes[i], p, got, i));
}

BOOST_AUTO_TEST_CASE(calls_on_several_threads_continue_one_path) {
  const random_model weights({.seed = 82});
  test_model model(weights, 4);
  model.add_logit_lens();
  if (!keeps_prefixes(model)) return;
  const ids text = made_text(50, weights.shape.vocabulary, 6);
  pack trunk;
  trunk.add_sequence(text);
  kept_path kept(model);
  model.forward(trunk, nullptr, 49, kept.place());
  std::vector<pack> packs(12);
  std::vector<pack_readings> got(packs.size());
  for (std::size_t i = 0; i < packs.size(); ++i) add_branch(packs[i], 10 + 3 * i, {5, 6, 7});
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = t; i < packs.size(); i += 4) got[i] = model.forward(packs[i], kept.get());
    });
  }
  for (std::thread& t : threads) t.join();
  for (std::size_t i = 0; i < packs.size(); ++i)
    BOOST_TEST(reads_as_alone(model, branch(text, 10 + 3 * i, {5, 6, 7}), packs[i], got[i], 0));
}

BOOST_AUTO_TEST_CASE(tokens_behind_the_end_of_a_path_and_paths_of_no_token_are_refused) {
  const random_model weights({.seed = 83});
  test_model model(weights);
  model.add_logit_lens();
  if (!keeps_prefixes(model)) return;
  pack trunk;
  trunk.add_sequence({1, 2, 3, 4});
  kept_path kept(model), none(model);
  model.forward(trunk, nullptr, 2, kept.place());
  const auto fails = [&](std::size_t n, const dlens_prefix* prefix, std::uint32_t keep, dlens_prefix** to) {
    pack p;
    add_branch(p, n, {5, 6});
    BOOST_CHECK_THROW(model.forward(p, prefix, keep, to), depthlens::error);
  };
  fails(4, kept.get(), 0, nullptr);  // three tokens are kept
  fails(1, nullptr, 0, nullptr);
  fails(3, kept.get(), 2, none.place());
  BOOST_TEST(none.get() == nullptr);
  pack p;
  add_branch(p, 3, {5, 6});
  BOOST_TEST(reads_as_alone(model, {1, 2, 3, 5, 6}, p, model.forward(p, kept.get()), 0));
}

BOOST_AUTO_TEST_SUITE_END()
