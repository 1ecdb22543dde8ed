// SPDX-License-Identifier: Apache-2.0
// Waves of packs on a backend that streams its weights: the same readings as on one that holds them, within
// the room that there is.
#include "engine/planned_work.hpp"
#include "host/evaluated.hpp"
#include "host/streamed_backend.hpp"
#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(waves)

using namespace depthlens;
using namespace depthlens::test;

BOOST_AUTO_TEST_CASE(streamed_weights_change_no_reading_whatever_the_waves_and_packs) {
  const fake_lens logit{1, {0, 1, 2, 3}}, tuned{2, {1, 3}};
  const std::vector<const fake_lens*> lenses = {&logit, &tuned};
  std::uint64_t continued = 0;
  for (std::uint32_t seed = 60; seed < 66; ++seed) {
    const wishes_of_a_test w = random_wishes(seed);
    for (const std::uint64_t wave : {1U, 6000U, 30000U, 1U << 30})
      for (const unsigned threads : {1U, 3U})
        for (const bool sharing : {true, false}) {
          streamed_backend backend(kVocabulary, 40, 1000);
          evaluation_counts c;
          const results r =
              run(backend, lenses, w,
                  {.threads = threads, .sharing = sharing, .kept_bytes = 9000, .wave_bytes = wave}, &c);
          for (std::size_t i = 0; i < r.size(); ++i)
            BOOST_REQUIRE(
                is_right(backend, lenses, w.requests[i], w.sequences[w.requests[i].sequence], *r[i], 1));
          BOOST_TEST(c.waves >= (wave == 1 ? 10U : 1U));
          BOOST_TEST((wave < 1U << 30 || c.waves == 1U));
          BOOST_TEST(backend.loads == c.waves * streamed_backend::n_stages * streamed_backend::n_parts);
          BOOST_TEST(backend.kept_tokens == 0U);
          BOOST_TEST(backend.most_kept_tokens <= 9U);
          BOOST_TEST(backend.tokens <= c.tokens_computed);
          continued += backend.packs_with_prefix;
        }
  }
  BOOST_TEST(continued > 100U);
}

BOOST_AUTO_TEST_CASE(waves_have_room_for_the_states_of_their_packs) {
  const wishes_of_a_test w = random_wishes(70);
  for (const std::uint64_t room : {3000U, 10000U, 50000U}) {
    const pack_rules rules{.pack_tokens = 40,
                           .kept_tokens = 20,
                           .threads = 2,
                           .wave_bytes = room,
                           .token_bytes = 10,
                           .read_bytes = 100};
    const planned_work work({w.sequences, w.requests}, rules);
    for (const std::span<const pack> wave : work.waves()) {
      std::uint64_t bytes = 0;
      for (const pack& p : wave) bytes += 10 * p.size() + 100 * work.sites_of(p).size();
      BOOST_TEST((bytes <= room || wave.size() == 1));
      BOOST_TEST(bytes <= room + 16 * 110 + 10 * 30);
      for (const pack& p : wave) BOOST_TEST(p.prefix < static_cast<std::int32_t>(wave.size()));
    }
    BOOST_TEST(work.waves().size() == work.counts.waves);
  }
}

BOOST_AUTO_TEST_CASE(small_work_is_cut_for_several_threads_only_and_not_below_what_experts_ask_for) {
  const wishes_of_a_test w = random_wishes(2000);
  const auto packs_of = [&](unsigned threads, std::size_t fewest) {
    const pack_rules rules{
        .pack_tokens = 1 << 20, .threads = threads, .read_weight = 0, .fewest_tokens = fewest};
    return planned_work({w.sequences, w.requests}, rules).packs.size();
  };
  const std::size_t tokens = planned_work({w.sequences, w.requests}, {}).forest.size();
  BOOST_TEST_REQUIRE(tokens > 512U);
  BOOST_TEST(packs_of(1, 0) == 1U);
  BOOST_TEST(packs_of(2, 0) > 1U);
  BOOST_TEST(packs_of(2, tokens) < packs_of(2, 0));
}

BOOST_AUTO_TEST_CASE(an_error_in_a_stage_ends_the_wave_and_releases_what_is_kept) {
  for (const std::uint64_t after : {0U, 1U, 3U}) {
    streamed_backend backend(kVocabulary, 40, 1000);
    backend.on_forward = [&] {
      if (backend.forwards >= after) fail(status::io, "the device is gone");
    };
    const fake_lens logit{1, {0}};
    check_fails(
        [&] {
          run(backend, {&logit}, random_wishes(3), {0, 3, 16});
        },
        status::io, "the device is gone");
    BOOST_TEST(backend.kept_tokens == 0U);
  }
}

BOOST_AUTO_TEST_CASE(weights_are_looked_at_before_each_stage_that_has_been_loaded) {
  const fake_lens logit{1, {0}};
  streamed_backend whole(kVocabulary, 40, 1000);
  std::uint64_t looks = 0;
  evaluation_counts counts;
  const run_options watched{.wave_bytes = 6000, .check_weights = [&] { ++looks; }};
  run(whole, {&logit}, random_wishes(3), watched, &counts);
  BOOST_TEST(looks == counts.waves * streamed_backend::n_stages);
  for (const std::uint64_t last : {0U, 2U, 7U}) {
    streamed_backend backend(kVocabulary, 40, 1000);
    looks = 0;
    const auto changed = [&] {
      if (looks++ == last) fail(status::io, "the file was replaced");
    };
    check_fails(
        [&] { run(backend, {&logit}, random_wishes(3), {.wave_bytes = 6000, .check_weights = changed}); },
        status::io, "the file was replaced");
    BOOST_TEST(backend.kept_tokens == 0U);
  }
}

BOOST_AUTO_TEST_SUITE_END()
