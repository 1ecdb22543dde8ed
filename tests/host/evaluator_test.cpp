// SPDX-License-Identifier: Apache-2.0
// The evaluator on a backend that hashes token paths: every request gets the reading of its path, whatever
// else is asked for, however packs are cut, on however many threads.
#include "engine/evaluator.hpp"

#include "host/evaluated.hpp"
#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <vector>

BOOST_AUTO_TEST_SUITE(evaluators)

using namespace depthlens;
using namespace depthlens::test;

BOOST_AUTO_TEST_CASE(every_wish_gets_the_reading_of_its_own_path_however_packs_are_cut) {
  const fake_lens logit{1, {0, 1, 2, 3, 4}}, tuned{2, {1, 3}};
  const std::vector<const fake_lens*> lenses = {&logit, &tuned};
  for (std::uint32_t seed = 0; seed < 8; ++seed) {
    const wishes_of_a_test w = random_wishes(seed);
    for (const std::size_t pack : {0U, 16U, 40U, 100000U})
      for (const unsigned threads : {1U, 3U}) {
        fake_backend backend(kVocabulary);
        const std::uint32_t top_k = seed % 3;
        const results r = run(backend, lenses, w, {top_k, threads, pack});
        for (std::size_t i = 0; i < r.size(); ++i) {
          BOOST_REQUIRE(r[i] != nullptr);
          BOOST_REQUIRE(
              is_right(backend, lenses, w.requests[i], w.sequences[w.requests[i].sequence], *r[i], top_k));
        }
      }
  }
}

BOOST_AUTO_TEST_CASE(kept_prefixes_change_no_reading_and_nothing_is_computed_twice) {
  const fake_lens logit{1, {0, 1, 2, 3, 4}};
  std::uint64_t continued = 0;
  for (std::uint32_t seed = 20; seed < 30; ++seed) {
    const wishes_of_a_test w = random_wishes(seed);
    for (const std::size_t pack : {0U, 16U, 40U})
      for (const unsigned threads : {1U, 4U}) {
        fake_backend backend(kVocabulary, 64, 1000);
        evaluation_counts c;
        const results r = run(backend, {&logit}, w, {1, threads, pack}, &c);
        for (std::size_t i = 0; i < r.size(); ++i)
          BOOST_REQUIRE(
              is_right(backend, {&logit}, w.requests[i], w.sequences[w.requests[i].sequence], *r[i], 1));
        BOOST_TEST(c.tokens_computed == c.distinct_prefixes);
        BOOST_TEST(backend.tokens == c.distinct_prefixes);
        BOOST_TEST(backend.kept_tokens == 0U);
        BOOST_TEST(backend.most_kept_tokens <= c.most_kept_tokens);
        continued += backend.packs_with_prefix;
      }
  }
  BOOST_TEST(continued > 100U);
}

BOOST_AUTO_TEST_CASE(no_more_is_kept_than_allowed_and_what_does_not_fit_is_computed_again) {
  const fake_lens logit{1, {0, 1}};
  std::uint64_t again = 0, continued = 0;
  for (const std::uint64_t tokens : {1U, 4U, 9U, 20U})
    for (std::uint32_t seed = 30; seed < 40; ++seed) {
      const wishes_of_a_test w = random_wishes(seed);
      fake_backend backend(kVocabulary, 64, 1000);
      evaluation_counts c;
      const results r = run(backend, {&logit}, w, {1, 3, 16, true, tokens * 1000 + 999}, &c);
      for (std::size_t i = 0; i < r.size(); ++i)
        BOOST_REQUIRE(
            is_right(backend, {&logit}, w.requests[i], w.sequences[w.requests[i].sequence], *r[i], 1));
      BOOST_TEST(backend.most_kept_tokens <= tokens);
      BOOST_TEST(c.most_kept_tokens <= tokens);
      again += c.tokens_computed - c.distinct_prefixes;
      continued += backend.packs_with_prefix;
    }
  BOOST_TEST(again > 0U);
  BOOST_TEST(continued > 0U);
}

BOOST_AUTO_TEST_CASE(without_sharing_every_prompt_is_computed_by_itself_and_reads_alike) {
  const fake_lens logit{1, {0, 1, 2}};
  const wishes_of_a_test w = random_wishes(50);
  fake_backend backend(kVocabulary, 64, 1000);
  evaluation_counts c, shared;
  const results r = run(backend, {&logit}, w, {1, 2, 40, false}, &c);
  for (std::size_t i = 0; i < r.size(); ++i)
    BOOST_REQUIRE(is_right(backend, {&logit}, w.requests[i], w.sequences[w.requests[i].sequence], *r[i], 1));
  run(backend, {&logit}, w, {1, 2, 40}, &shared);
  BOOST_TEST(c.tokens_given == shared.tokens_given);
  BOOST_TEST(c.distinct_prefixes == shared.distinct_prefixes);
  BOOST_TEST(c.tokens_computed >= c.tokens_given);
  BOOST_TEST(shared.tokens_computed < c.tokens_given);
}

BOOST_AUTO_TEST_CASE(an_error_while_paths_are_kept_releases_them) {
  for (const std::uint64_t after : {1U, 2U, 4U, 7U}) {
    fake_backend backend(kVocabulary, 64, 1000);
    backend.on_forward = [&] {
      if (backend.forwards >= after) fail(status::io, "the device is gone");
    };
    const fake_lens logit{1, {0}};
    test::check_fails(
        [&] {
          run(backend, {&logit}, random_wishes(3), {0, 3, 16});
        },
        status::io, "the device is gone");
    BOOST_TEST(backend.kept_tokens == 0U);
  }
}

BOOST_AUTO_TEST_CASE(a_position_that_several_ask_for_is_read_once) {
  const fake_lens logit{1, {0, 1}};
  const wishes_of_a_test w{{{1, 2, 3}, {1, 2, 4}, {1, 2, 3}},
                           {{0, 1, {7}}, {1, 1, {8, -1}}, {2, 1, {7, 9}}, {2, 2, {}}}};
  fake_backend backend(kVocabulary);
  evaluation_counts c;
  const results r = run(backend, {&logit}, w, {1, 1, 0}, &c);
  BOOST_TEST(backend.reads == 2U);
  BOOST_TEST(backend.read_paths.size() == 2U);
  BOOST_TEST(c.positions_read == 2U);
  BOOST_TEST((r[0] == r[1] && r[1] == r[2]));
  BOOST_TEST(r[0]->targets == (sequence{-1, 7, 8, 9}), boost::test_tools::per_element());
  BOOST_TEST(r[3]->targets.empty());
}

BOOST_AUTO_TEST_CASE(nothing_behind_the_last_position_read_is_computed) {
  const fake_lens logit{1, {0}};
  const wishes_of_a_test w{{{1, 2, 3, 4, 5, 6}, {9, 9, 9}}, {{0, 2, {}}}};
  fake_backend backend(kVocabulary);
  evaluation_counts c;
  run(backend, {&logit}, w, {0, 1, 0}, &c);
  BOOST_TEST(backend.tokens == 3U);
  BOOST_TEST(c.tokens_given == 3U);
  BOOST_TEST(c.distinct_prefixes == 3U);
  BOOST_TEST(c.tokens_computed == 3U);
}

// Of a sequence's own length, whatever of it is read; what begins alike is shared within a form alone.
BOOST_AUTO_TEST_CASE(longer_sequences_are_read_in_the_long_form_from_their_first_token_on) {
  const fake_lens logit{1, {0, 1, 2}};
  std::vector<std::uint64_t> shared;
  for (const std::uint32_t long_positions : {0U, 1U, 12U, 100U})
    for (const bool sharing : {true, false})
      for (const unsigned threads : {1U, 3U})
        for (const std::uint64_t token_bytes : {0U, 1000U}) {
          const wishes_of_a_test w = random_wishes(31);
          fake_backend backend(kVocabulary, 20, token_bytes);
          evaluation_counts c;
          const results r = run(backend, {&logit}, w,
                                {.top_k = 1,
                                 .threads = threads,
                                 .pack_tokens = 16,
                                 .sharing = sharing,
                                 .long_positions = long_positions},
                                &c);
          for (std::size_t i = 0; i < r.size(); ++i)
            BOOST_REQUIRE(is_right(backend, {&logit}, w.requests[i], w.sequences[w.requests[i].sequence],
                                   *r[i], 1, long_positions));
          shared.push_back(c.distinct_prefixes);
        }
  for (std::size_t i = 0; i < shared.size(); ++i) BOOST_TEST(shared[i] == shared[i / 8 * 8]);
  BOOST_TEST(shared[16] > shared[0]);  // of both forms
  BOOST_TEST(shared[24] == shared[0]);
}

BOOST_AUTO_TEST_CASE(counts_say_what_the_backend_was_given_and_a_dry_count_says_the_same) {
  const fake_lens logit{1, {0}};
  const wishes_of_a_test w = random_wishes(77);
  fake_backend backend(kVocabulary);
  evaluation_counts c;
  run(backend, {&logit}, w, {0, 2, 20}, &c);
  std::set<sequence> prefixes;
  for (const read_request& request : w.requests)
    for (std::uint32_t n = 1; n <= request.position + 1; ++n)
      prefixes.emplace(w.sequences[request.sequence].begin(), w.sequences[request.sequence].begin() + n);
  BOOST_TEST(c.distinct_prefixes == prefixes.size());
  BOOST_TEST(c.positions_read == backend.reads);
  BOOST_TEST(c.tokens_computed >= backend.tokens);
  BOOST_TEST(c.tokens_computed >= c.distinct_prefixes);
  const evaluation_counts dry = count_work(
      {w.sequences, w.requests}, {.pack_tokens = 20, .kept_tokens = 0, .threads = 2, .read_weight = 0.5});
  BOOST_TEST(dry.distinct_prefixes == c.distinct_prefixes);
  BOOST_TEST(dry.tokens_given == c.tokens_given);
  BOOST_TEST(dry.tokens_computed == c.tokens_computed);
  BOOST_TEST(dry.positions_read == c.positions_read);
}

BOOST_AUTO_TEST_CASE(a_count_by_what_the_backend_advises_is_that_of_the_run_kept_prefixes_too) {
  constexpr std::uint64_t token_bytes = 1000;
  const fake_lens logit{1, {0}};
  for (const std::uint64_t kept_tokens : {3U, 8U, 1000U}) {
    const wishes_of_a_test w = random_wishes(static_cast<std::uint32_t>(kept_tokens));
    fake_backend backend(kVocabulary, 20, token_bytes);
    evaluation_counts c;
    run(backend, {&logit}, w, {.kept_bytes = kept_tokens * token_bytes}, &c);
    const pack_rules rules = combine({.kept_bytes = kept_tokens * token_bytes}, advice_of(backend.c()),
                                     {.layers = 1, .row_weight = 0.25});
    const evaluation_counts dry = count_work({w.sequences, w.requests}, rules);
    BOOST_TEST(dry.tokens_computed == c.tokens_computed);
    BOOST_TEST(c.most_kept_tokens > 0U);
    BOOST_TEST(dry.most_kept_tokens == c.most_kept_tokens);
  }
}

BOOST_AUTO_TEST_CASE(no_wishes_need_no_forward_call) {
  fake_backend backend(kVocabulary);
  const fake_lens logit{1, {0}};
  evaluation_counts c;
  run(backend, {&logit}, {{{1, 2}, {}}, {}}, {1, 2, 0}, &c);
  BOOST_TEST(backend.forwards == 0U);
  BOOST_TEST(c.distinct_prefixes == 0U);
}

BOOST_AUTO_TEST_CASE(a_wish_outside_its_sequence_is_refused) {
  fake_backend backend(kVocabulary);
  const fake_lens logit{1, {0}};
  test::check_fails(
      [&] {
        run(backend, {&logit}, {{{1, 2}}, {{0, 2, {}}}}, {0, 1, 0});
      },
      status::internal, "outside");
  test::check_fails(
      [&] {
        run(backend, {&logit}, {{{1, 2}}, {{1, 0, {}}}}, {0, 1, 0});
      },
      status::internal, "outside");
}

BOOST_AUTO_TEST_CASE(an_error_of_the_backend_reaches_the_caller_with_its_status_and_text) {
  fake_backend backend(kVocabulary);
  backend.on_forward = [] { fail(status::io, "the device is gone"); };
  const fake_lens logit{1, {0}};
  test::check_fails(
      [&] {
        run(backend, {&logit}, random_wishes(3), {0, 3, 16});
      },
      status::io, "the device is gone");
}

BOOST_AUTO_TEST_CASE(counts_of_works_that_follow_each_other_add_up_but_for_what_is_kept_at_a_time) {
  evaluation_counts c{1, 2, 3, 4, 50};
  c += {10, 20, 30, 40, 5};
  BOOST_TEST(c.tokens_given == 11U);
  BOOST_TEST(c.distinct_prefixes == 22U);
  BOOST_TEST(c.tokens_computed == 33U);
  BOOST_TEST(c.positions_read == 44U);
  BOOST_TEST(c.most_kept_tokens == 50U);
}

BOOST_AUTO_TEST_CASE(an_error_of_the_receiver_reaches_the_caller) {
  fake_backend backend(kVocabulary);
  const fake_lens logit{1, {0}};
  const wishes_of_a_test w = random_wishes(4);
  const evaluator e(backend.c(), {fake_backend::active(logit)}, {.threads = 2, .pack_tokens = 16},
                    {.top_k = 0});
  test::check_fails(
      [&] {
        e.run({w.sequences, w.requests}, [](std::size_t i, std::shared_ptr<const site_readings>) {
          if (i == 5) fail(status::data, "request 5");
        });
      },
      status::data, "request 5");
}

BOOST_AUTO_TEST_CASE(changes_are_unavailable_on_a_backend_that_does_not_offer_them) {
  fake_backend backend(kVocabulary, 20);
  const fake_lens logit{1, {0}};
  const evaluator e(backend.c(), {fake_backend::active(logit)}, {.threads = 2},
                    {.n_states = 2, .d_model = 1, .output = fake_backend::active(logit)});
  const std::vector<sequence> sequences = {{1, 2, 3}, {1, 2, 3}};
  const std::vector<std::vector<state_edit>> edits = {
      {}, {{.position = 2, .layer = 0, .from = {}, .vector = {1.0F}}}};
  const std::vector<read_request> requests = {{1, 2, {-1}}};
  const auto is_unavailable = [](const error& why) {
    return why.code() == status::unavailable &&
           std::string(why.what()).find("depthlens.intervene/1") != std::string::npos;
  };
  BOOST_CHECK_EXCEPTION(e.run({sequences, requests, edits}, [](auto, auto) {}), error, is_unavailable);
  BOOST_TEST(backend.forwards == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
