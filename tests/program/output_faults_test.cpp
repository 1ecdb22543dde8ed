// SPDX-License-Identifier: Apache-2.0
// Whichever call that writes fails, or is the last that a process makes: the program ends with a word and the
// code for it, what is finished is kept, and the same command ends with the bytes of an undisturbed run.
#include "program/preloaded.hpp"
#include "program/sharded_run.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <map>
#include <set>
#include <string>

BOOST_AUTO_TEST_SUITE(output_faults)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;

const sharded_run& tiny() {
  static const sharded_run once(12);
  return once;
}

outcome disturbed(const words& command, const std::string& variable, const std::string& value) {
  surroundings s;
  s.environment = {{"LD_PRELOAD", std::getenv("DEPTHLENS_FAIL_OUTPUT")}, {variable, value}};
  s.patience = std::chrono::seconds(60);
  return depthlens_says(command, s);
}

// All numbers, or some of them spread over 1..last.
std::set<long> chosen_calls(long last, long few) {
  std::set<long> out;
  const long n = std::getenv("DEPTHLENS_TEST_ALL_CALLS") != nullptr ? last : std::min(few, last);
  for (long i = 1; i <= n; ++i) out.insert(1 + (last - 1) * (i - 1) / std::max(1L, n - 1));
  return out;
}

void check_end(const outcome& o, const std::string& fault) {
  if (fault.ends_with("kill")) {
    BOOST_TEST(o.code == 128 + SIGKILL);
    return;
  }
  static const std::set<int> documented{0, 73, 74, 75};
  BOOST_TEST(documented.contains(o.code), "ended with " << o.code << ": " << o.err);
  // gnuplot-iostream's stream does not go on behind a short write; then the picture is drawn by the next run.
  const bool of_gnuplot = o.err.find("cannot hand gnuplot its commands") != std::string::npos;
  if (fault.ends_with("short"))
    BOOST_TEST((o.code == 0 || (o.code == 74 && of_gnuplot)), "a short write is no fault: " << o.err);
  if (o.code != 0) BOOST_TEST(o.err.find("depthlens: ") != std::string::npos, "no word: " << o.err);
}

// command(out) is disturbed at each chosen call and then given once more; `after` makes the results of it.
template <class Command, class After>
void disturb_every_call(Command command, After after, const std::map<std::string, std::string>& wanted,
                        long few) {
  const fs::path counts = tiny().path("counts");
  const outcome calm = disturbed(command("calm"), "COUNT_OUTPUT", counts.string());
  BOOST_REQUIRE_MESSAGE(calm.code == 0, calm.err);
  fs::remove_all(tiny().path("calm"));
  const long calls = std::stol(read_bytes(counts));
  std::map<std::string, std::map<int, int>> ends;
  long points = 0;
  for (const char* fault : {":ENOSPC", "+:EIO", ":kill", ":short"})
    for (const long n : chosen_calls(calls, few)) {
      const std::string wish = cat(n, fault);
      BOOST_TEST_CONTEXT("FAIL_OUTPUT=" << wish << " of " << calls) {
        const outcome o = disturbed(command("disturbed"), "FAIL_OUTPUT", wish);
        check_end(o, fault);
        ++ends[fault][o.code];
        const outcome again = depthlens_says(command("disturbed"));
        BOOST_TEST(again.code == 0, again.err);
        after("disturbed");
        check_same_tables(results_of(tiny().path("disturbed")), wanted);
      }
      fs::remove_all(tiny().path("disturbed"));
      ++points;
    }
  for (const auto& [fault, codes] : ends) {
    std::string text;
    for (const auto& [code, n] : codes) text += cat(" ", n, "x", code);
    BOOST_TEST_MESSAGE(fault << " at " << points / 4 << " of " << calls << " calls; ends:" << text);
  }
}

const std::map<std::string, std::string>& undisturbed() {
  static const std::map<std::string, std::string> once = [] {
    must_work(tiny().run("one"));
    return results_of(tiny().path("one"));
  }();
  return once;
}

}  // namespace

// DEPTHLENS_TEST_ALL_CALLS=1 takes every call.
BOOST_AUTO_TEST_CASE(a_run_loses_nothing_whichever_call_that_writes_fails_or_is_its_last,
                     *boost::unit_test::precondition(can_preload{"DEPTHLENS_FAIL_OUTPUT"})) {
  disturb_every_call([](const std::string& out) { return tiny().run(out); }, [](const std::string&) {},
                     undisturbed(), 10);
}

BOOST_AUTO_TEST_CASE(a_shard_and_its_plan_lose_nothing_either,
                     *boost::unit_test::precondition(can_preload{"DEPTHLENS_FAIL_OUTPUT"})) {
  const auto merge = [](const std::string& out) { must_work({"merge", tiny().path(out).string()}); };
  disturb_every_call([](const std::string& out) { return tiny().shard(out, "1/1"); }, merge, undisturbed(),
                     6);
}

BOOST_AUTO_TEST_CASE(nor_does_a_merge,
                     *boost::unit_test::precondition(can_preload{"DEPTHLENS_FAIL_OUTPUT"})) {
  const auto command = [](const std::string& out) {
    for (const char* which : {"1/2", "2/2"})
      if (!fs::exists(tiny().path(out) / "run.json")) must_work(tiny().shard(out, which));
    return words{"merge", tiny().path(out).string()};
  };
  disturb_every_call(
      command, [](const std::string&) {}, undisturbed(), 8);
}

BOOST_AUTO_TEST_SUITE_END()
