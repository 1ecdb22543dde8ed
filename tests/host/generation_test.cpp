// SPDX-License-Identifier: Apache-2.0
// Texts that go on by themselves, on fake backends whose next token is worked out from the path alone: with
// kept paths, without, and streamed they say the same.
#include "engine/generation.hpp"
#include "engine/control_batch.hpp"
#include "host/streamed_backend.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <random>
#include <vector>

BOOST_AUTO_TEST_SUITE(generation)

namespace {

using namespace depthlens;
using test::fake_backend;
using test::fake_lens;
using test::streamed_backend;
using ids = std::vector<std::int32_t>;

constexpr std::uint32_t vocabulary = 40, longest = 60;
const fake_lens lens{.salt = 3, .layers = {0, 1, 4}};
const text_ends ends{.tokens = {7}, .max_positions = longest};

// Prompts of few tokens, so that many begin alike and some are the same.
std::vector<generation_request> made_requests(std::size_t n) {
  std::mt19937 random(11);
  std::vector<generation_request> out;
  for (std::size_t i = 0; i < n; ++i) {
    generation_request r{.ids = ids(20, 1), .n_tokens = 1 + static_cast<std::uint32_t>(random() % 12)};
    for (std::uint32_t k = random() % 30; k > 0; --k) r.ids.push_back(static_cast<int>(random() % 2));
    if (i % 3 == 1) r.lens = 1, r.layer = static_cast<std::int32_t>(random() % 2) * 4;
    out.push_back(std::move(r));
  }
  return out;
}

// The run's lens 0 is not read, lens 1 is, lens 2 is the control's.
const std::vector<lens_slot> slots = {{{0, 1}, -1}, {{0, 1, 4}, 0}, {{0, 1, 4}, 0, true}};

ids expected(const fake_backend& backend, const generation_request& r, std::uint32_t long_positions) {
  ids path = r.ids, said;
  while (said.size() < r.n_tokens && path.size() < longest) {
    const std::uint64_t hash =
        test::of_form(test::path_hash(path), long_positions > 0 && path.size() > long_positions);
    const std::size_t row = r.layer == 4 ? 2 : 0;
    said.push_back(r.lens < 0 ? backend.final_top(hash) : backend.guess(hash, lens, row));
    path.push_back(said.back());
    if (said.back() == 7) break;
  }
  return said;
}

std::vector<ids> generate(const fake_backend& backend, const work_rules& rules,
                          const std::vector<generation_request>& requests) {
  static const fake_lens output{.salt = 9, .layers = {4}};
  const std::vector<active_lens> active = {fake_backend::active(lens)};
  const evaluator reads(backend.c(), active, rules, {.output = fake_backend::active(output)});
  const text_generator generator(backend.c(), active, fake_backend::active(output), rules, reads, ends);
  std::vector<ids> out(requests.size());
  std::vector<int> answers(requests.size());
  const std::atomic<bool> stop{false};
  generator.run(
      requests, slots,
      [&](std::size_t i, ids said, bool finite) {
        BOOST_TEST(finite == (backend.poison < 0));
        out[i] = std::move(said);
        ++answers[i];
      },
      [](const std::string&) {}, stop);
  BOOST_TEST(std::all_of(answers.begin(), answers.end(), [](int n) { return n == 1; }));
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_next_token_follows_from_the_text_before_it_whatever_is_kept) {
  const std::vector<generation_request> requests = made_requests(60);
  for (const std::uint32_t form : {0U, 45U})
    for (const unsigned threads : {1U, 4U})
      for (const std::uint64_t kept : {0U, 120U, 400U, 100000U}) {
        const fake_backend backend(vocabulary, 8, kept > 0 ? 1 : 0);
        const std::vector<ids> said =
            generate(backend, {.threads = threads, .kept_bytes = kept, .long_positions = form}, requests);
        for (std::size_t i = 0; i < requests.size(); ++i)
          BOOST_TEST((said[i] == expected(backend, requests[i], form)), "request " << i);
        BOOST_TEST((kept == 0 || backend.most_kept_tokens <= kept));
        BOOST_TEST((backend.packs_with_prefix > 0) == (kept > 0));
      }
}

BOOST_AUTO_TEST_CASE(a_streamed_model_says_the_same) {
  const std::vector<generation_request> requests = made_requests(20);
  const streamed_backend backend(vocabulary, 16, 1);
  const std::vector<ids> said = generate(backend, {.threads = 2, .wave_bytes = 4000}, requests);
  for (std::size_t i = 0; i < requests.size(); ++i)
    BOOST_TEST((said[i] == expected(backend, requests[i], 0)), "request " << i);
}

BOOST_AUTO_TEST_CASE(kept_tokens_are_computed_once) {
  const fake_backend backend(vocabulary, 64, 1);
  const generation_request one{.ids = ids(30, 2), .n_tokens = 10};
  const std::size_t said = generate(backend, {.kept_bytes = 1000}, {one})[0].size();
  BOOST_TEST(backend.tokens == one.ids.size() + said - 1);
  const fake_backend twice(vocabulary, 64, 1);
  generation_request other = one;
  other.ids.back() = 3;
  const std::vector<ids> both = generate(twice, {.kept_bytes = 1000}, {one, other, one});
  BOOST_TEST((both[0] == both[2]));
  BOOST_TEST(twice.tokens == 29 + 2 + both[0].size() + both[1].size() - 2);  // what both begin with is one
}

BOOST_AUTO_TEST_CASE(a_text_breaks_off_where_logits_are_not_finite) {
  fake_backend backend(vocabulary, 64, 1), without(vocabulary, 64, 0);
  const generation_request one{.ids = {1, 2, 3}, .n_tokens = 5},
      by_lens{.ids = {1, 2, 3}, .n_tokens = 5, .lens = 1};
  backend.poison = without.poison = 3;
  BOOST_TEST(generate(backend, {.kept_bytes = 1000}, {one})[0].empty());
  BOOST_TEST(generate(without, {}, {one})[0].empty());
  BOOST_TEST(generate(backend, {.kept_bytes = 1000}, {by_lens})[0].empty());
  BOOST_TEST(generate(without, {}, {by_lens})[0].empty());
}

BOOST_AUTO_TEST_CASE(nothing_comes_of_a_lens_or_layer_that_is_not_read) {
  const fake_backend backend(vocabulary, 64, 1);
  const std::vector<ids> said = generate(backend, {.kept_bytes = 1000},
                                         {{.ids = {1, 2}, .n_tokens = 3, .lens = 0},
                                          {.ids = {1, 2}, .n_tokens = 3, .lens = 1, .layer = 2},
                                          {.ids = {1, 2}, .n_tokens = 3, .lens = 2}});
  for (const ids& s : said) BOOST_TEST(s.empty());
}

BOOST_AUTO_TEST_CASE(shuffled_prompts_keep_their_front_their_end_and_their_tokens) {
  const shuffle_rule rule{.seed = 5, .front = {9}};
  ids prompt = {9};
  for (int i = 0; i < 40; ++i) prompt.push_back(i);
  const ids some = shuffled_before(prompt, 30, rule);
  BOOST_TEST(some.size() == 31U);
  BOOST_TEST(some.front() == 9);
  BOOST_TEST(some.back() == prompt[30]);
  ids sorted = some, wanted(prompt.begin(), prompt.begin() + 31);
  BOOST_TEST((sorted != wanted));
  std::sort(sorted.begin(), sorted.end());
  std::sort(wanted.begin(), wanted.end());
  BOOST_TEST((sorted == wanted));
  BOOST_TEST((shuffled_before(prompt, 30, rule) == some));
  BOOST_TEST((shuffled_before(prompt, 30, {.seed = 6, .front = {9}}) != some));
  BOOST_TEST((shuffled_before({9, 1}, 1, rule) == ids{9, 1}));
  BOOST_TEST((shuffled_before({1}, 0, rule) == ids{1}));
}

BOOST_AUTO_TEST_SUITE_END()
