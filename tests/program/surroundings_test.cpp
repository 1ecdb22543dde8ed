// SPDX-License-Identifier: Apache-2.0
// What a machine or a user's session may be like: results do not depend on it, and where it does not suffice
// the program says so and goes on later.
#include "program/preloaded.hpp"
#include "program/sharded_run.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>

BOOST_AUTO_TEST_SUITE(surroundings_of_a_run)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;

const sharded_run& tiny() {
  static const sharded_run once(12);
  return once;
}

const std::map<std::string, std::string>& usual() {
  static const std::map<std::string, std::string> once = [] {
    must_work(tiny().run("usual"));
    return results_of(tiny().path("usual"));
  }();
  return once;
}

// The run as a shell starts it that was told something before.
outcome under(const std::string& told, const std::string& out, const surroundings& s = {}) {
  return run(words{"/bin/sh", "-c", told + "; exec \"$0\" \"$@\"", program()} + tiny().run(out), s);
}

}  // namespace

BOOST_AUTO_TEST_CASE(language_time_zone_and_umask_change_no_byte) {
  surroundings s;
  s.environment = {{"LC_ALL", "de_DE.UTF-8"}, {"LANG", "tr_TR.UTF-8"}, {"TZ", "Pacific/Kiritimati"}};
  const outcome o = under("umask 077", "elsewhere", s);
  BOOST_TEST(o.code == 0, o.err);
  check_same_tables(results_of(tiny().path("elsewhere")), usual());
}

BOOST_AUTO_TEST_CASE(folders_may_have_any_name) {
  for (const std::string name : {"a b", "\xc3\xbc'\"$x`id`", "two\nlines", "-n"}) {
    BOOST_TEST_CONTEXT(name) {
      must_work(tiny().run(name));
      check_same_tables(results_of(tiny().path(name)), usual());
      const std::string shards = name + "s";
      must_work(tiny().shard(shards, "1/2"));
      must_work(tiny().shard(shards, "2/2"));
      must_work({"merge", tiny().path(shards).string()});
      check_same_tables(results_of(tiny().path(shards)), usual());
      must_work({"verify", tiny().path(name).string(), "--rows", "2"});
    }
  }
}

BOOST_AUTO_TEST_CASE(a_clock_that_jumps_changes_nothing,
                     *boost::unit_test::precondition(can_preload{"DEPTHLENS_FAIL_OUTPUT"})) {
  for (const char* seconds : {"-86400", "86400"}) {
    surroundings s;
    s.environment = {{"LD_PRELOAD", std::getenv("DEPTHLENS_FAIL_OUTPUT")}, {"CLOCK_JUMP", seconds}};
    const outcome o = depthlens_says(tiny().run("jumps"), s);
    BOOST_TEST(o.code == 0, o.err);
    check_same_tables(results_of(tiny().path("jumps")), usual());
    fs::remove_all(tiny().path("jumps"));
  }
}

BOOST_AUTO_TEST_CASE(files_that_show_late_as_on_a_network_cost_nothing,
                     *boost::unit_test::precondition(can_preload{"DEPTHLENS_FAIL_OUTPUT"})) {
  surroundings s;
  s.environment = {{"LD_PRELOAD", std::getenv("DEPTHLENS_FAIL_OUTPUT")}, {"LATE", "400"}};
  // Both find no plan, and one is later.
  process first(words{program()} + tiny().shard("late", "1/2"), s);
  process second(words{program()} + tiny().shard("late", "2/2"), s);
  for (process* p : {&first, &second}) {
    const outcome o = p->wait();
    BOOST_TEST(o.code == 0, o.err);
  }
  must_work({"merge", tiny().path("late").string()});
  check_same_tables(results_of(tiny().path("late")), usual());
}

BOOST_AUTO_TEST_CASE(a_handle_that_became_stale_costs_nothing_that_was_finished,
                     *boost::unit_test::precondition(can_preload{"DEPTHLENS_FAIL_OUTPUT"})) {
  for (const char* at : {"12+:ESTALE", "40+:ESTALE", "90+:ESTALE", "150:ESTALE"}) {
    surroundings s;
    s.environment = {{"LD_PRELOAD", std::getenv("DEPTHLENS_FAIL_OUTPUT")}, {"FAIL_OUTPUT", at}};
    const outcome o = depthlens_says(tiny().run("stale"), s);
    BOOST_TEST((o.code == 74 || o.code == 73 || o.code == 0),
               at << ": ended with " << o.code << ": " << o.err);
    must_work(tiny().run("stale"));
    check_same_tables(results_of(tiny().path("stale")), usual());
    fs::remove_all(tiny().path("stale"));
  }
}

BOOST_AUTO_TEST_CASE(where_files_may_not_grow_or_few_be_open_the_run_says_so_and_goes_on_later) {
  const std::set<int> documented{0, 66, 69, 70, 73, 74};
  for (const char* told :
       {"ulimit -f 0", "ulimit -f 1", "ulimit -f 4", "ulimit -n 9", "ulimit -n 12", "ulimit -n 24"}) {
    BOOST_TEST_CONTEXT(told) {
      const outcome o = under(told, "limits");
      BOOST_TEST(documented.contains(o.code), "ended with " << o.code << ": " << o.err);
      must_work(tiny().run("limits"));
      check_same_tables(results_of(tiny().path("limits")), usual());
      fs::remove_all(tiny().path("limits"));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_run_stops_by_itself_before_its_job_ends) {
  sharded_run many(4000);
  surroundings s;
  s.environment["SLURM_JOB_END_TIME"] =
      std::to_string(std::chrono::duration_cast<std::chrono::seconds>(
                         std::chrono::system_clock::now().time_since_epoch() + std::chrono::seconds(2))
                         .count());
  const outcome o = depthlens_says(many.run("short"), s);
  // Where all is done before, it is a run as any other.
  BOOST_TEST((o.code == 75 || o.code == 0), o.err);
  if (o.code == 75) BOOST_TEST(o.err.find("SLURM_JOB_END_TIME") != std::string::npos, o.err);
  s.environment["SLURM_JOB_END_TIME"] = "1";  // long ago: of another job
  BOOST_TEST(depthlens_says(tiny().run("old"), s).code == 0);
}

BOOST_AUTO_TEST_SUITE_END()
