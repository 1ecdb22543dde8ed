// SPDX-License-Identifier: Apache-2.0
// A backend that is served best by few calls at once, as a GPU is: it gets no more, of a size for so many.
// And what a backend advises: kept in run.json, combined with what the user wants.
#include "engine/evaluator.hpp"
#include "model/memory_plan.hpp"

#include "host/fake_backend.hpp"

#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

BOOST_AUTO_TEST_SUITE(calls_in_flight)

namespace {

using namespace depthlens;
using test::fake_backend;
using test::fake_lens;

constexpr int threads = 8;
const fake_lens logit{1, {0, 1, 2}};

struct outcome {
  std::uint64_t calls = 0;
  int most_at_once = 0;
  std::map<std::size_t, float> entropy;  // by request
};

// 400 sequences of 30 tokens, each read at its end, by a host of so many threads. Calls stay inside the
// backend until `together` of them have met there, for a minute at most: threads that the system starts late
// are met too.
outcome evaluate(fake_backend& backend, unsigned host_threads, int together) {
  std::mt19937 random(5);
  std::vector<std::vector<std::int32_t>> sequences(400, std::vector<std::int32_t>(30));
  std::vector<read_request> requests;
  for (auto& s : sequences) {
    for (std::int32_t& id : s) id = static_cast<std::int32_t>(random() % 50);
    requests.push_back({static_cast<std::uint32_t>(requests.size()), 29, {-1}});
  }
  outcome out;
  std::mutex guard;
  std::condition_variable met;
  int inside = 0;
  bool patient = true;
  backend.on_forward = [&] {
    std::unique_lock lock(guard);
    out.most_at_once = std::max(out.most_at_once, ++inside);
    met.notify_all();
    patient = met.wait_for(lock, std::chrono::minutes(patient ? 1 : 0),
                           [&] { return out.most_at_once >= together; });
    lock.unlock();
    std::this_thread::sleep_for(std::chrono::milliseconds(3));  // for one call too many to be seen
    lock.lock();
    --inside;
  };
  const tbb::global_control control(tbb::global_control::max_allowed_parallelism, threads);
  tbb::task_arena arena(threads);
  arena.execute([&] {
    const evaluator e(backend.c(), {fake_backend::active(logit)}, {.threads = host_threads});
    e.run({sequences, requests}, [&](std::size_t request, const std::shared_ptr<const site_readings>& r) {
      const std::lock_guard lock(guard);
      out.entropy[request] = r->lenses[0].entropy[2];
    });
  });
  out.calls = backend.forwards;
  return out;
}

outcome evaluate(std::uint32_t advised, unsigned host_threads, int together) {
  fake_backend backend(50, 4096);
  backend.advise_calls(advised);
  return evaluate(backend, host_threads, together);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_backend_gets_as_many_calls_at_once_as_it_advises_and_packs_of_the_size_for_them) {
  const outcome all = evaluate(0, threads, 3);
  BOOST_TEST(all.most_at_once > 2);
  BOOST_TEST(all.most_at_once <= threads);
  for (const std::uint32_t advised : {1U, 2U}) {
    const outcome few = evaluate(advised, threads, static_cast<int>(advised));
    BOOST_TEST(few.most_at_once <= static_cast<int>(advised));
    BOOST_TEST(few.calls < all.calls);
    BOOST_TEST(few.calls == evaluate(0, advised, 1).calls);
    BOOST_TEST((few.entropy == all.entropy));
  }
}

BOOST_AUTO_TEST_CASE(advice_for_more_calls_than_there_are_threads_changes_nothing) {
  const outcome all = evaluate(0, 3, 3), advised = evaluate(64, 3, 3);
  BOOST_TEST(advised.calls == all.calls);
  BOOST_TEST(advised.most_at_once <= 3);
  BOOST_TEST((advised.entropy == all.entropy));
}

BOOST_AUTO_TEST_CASE(a_backend_that_knows_nothing_of_the_advice_gets_calls_from_all_threads) {
  fake_backend older(50, 4096);
  older.advise_calls(1);
  older.leave_out_calls();
  BOOST_TEST(evaluate(older, threads, 2).most_at_once > 1);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(advice_of_backends)

namespace {

using namespace depthlens;

constexpr backend_advice advice{
    .pack_tokens = 4096, .calls = 3, .weight_bytes = 8ull << 30, .kept_token_bytes = 1000};

}  // namespace

BOOST_AUTO_TEST_CASE(advice_comes_back_from_run_json_as_it_was) {
  boost::json::object backend;
  describe(advice, backend);
  const auto again = advice_in(backend);
  BOOST_REQUIRE(again.has_value());
  BOOST_TEST(again->pack_tokens == advice.pack_tokens);
  BOOST_TEST(again->calls == advice.calls);
  BOOST_TEST(again->weight_bytes == advice.weight_bytes);
  BOOST_TEST(again->kept_token_bytes == advice.kept_token_bytes);
}

BOOST_AUTO_TEST_CASE(advice_that_is_not_whole_is_none) {
  for (const char* missing : {"pack_tokens", "calls", "weight_bytes", "kept_token_bytes"}) {
    boost::json::object backend;
    describe(advice, backend);
    for (const boost::json::value& wrong :
         {boost::json::value("many"), boost::json::value(-1), boost::json::value(1e300)}) {
      backend[missing] = wrong;
      BOOST_TEST(!advice_in(backend).has_value(), missing << " is " << wrong);
    }
    backend.erase(missing);
    BOOST_TEST(!advice_in(backend).has_value(), missing << " is missing");
  }
}

BOOST_AUTO_TEST_CASE(a_backend_is_asked_as_far_as_its_interface_reaches) {
  test::fake_backend keeps(50, 64, 1000), forgets(50, 32);
  BOOST_TEST(advice_of(keeps.c()).kept_token_bytes == 1000U);
  BOOST_TEST(advice_of(forgets.c()).kept_token_bytes == 0U);
  BOOST_TEST(advice_of(forgets.c()).pack_tokens == 32U);
}

BOOST_AUTO_TEST_CASE(a_wish_goes_before_the_advice) {
  const pack_rules advised = combine({.threads = 8}, advice, {.layers = 3, .row_weight = 2});
  BOOST_TEST(advised.pack_tokens == 4096U);
  BOOST_TEST(advised.threads == 3U);
  BOOST_TEST(advised.kept_tokens == kept_bytes_for(advice.weight_bytes) / 1000);
  BOOST_TEST(advised.read_weight == 8.0);
  const pack_rules wanted = combine({.threads = 2, .pack_tokens = 100, .kept_bytes = 5500}, advice, {});
  BOOST_TEST(wanted.pack_tokens == 100U);
  BOOST_TEST(wanted.threads == 2U);
  BOOST_TEST(wanted.kept_tokens == 5U);
  BOOST_TEST(combine({.sharing = false}, advice, {}).kept_tokens == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
