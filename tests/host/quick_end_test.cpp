// SPDX-License-Identifier: Apache-2.0
// A program that is asked to stop ends while its threads are at work.
#include "run/quick_end.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>

BOOST_AUTO_TEST_SUITE(quick_ends)

using namespace depthlens;
using std::chrono::milliseconds;

BOOST_AUTO_TEST_CASE(work_that_does_not_end_is_given_up_and_what_is_saved_says_how) {
  const pid_t child = ::fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    const quick_end watch({[] { return true; }, [] { return 42; }, milliseconds(10)});
    for (;;) ::pause();
  }
  int state = 0;
  BOOST_REQUIRE(::waitpid(child, &state, 0) == child);
  BOOST_REQUIRE(WIFEXITED(state));
  BOOST_TEST(WEXITSTATUS(state) == 42);
}

BOOST_AUTO_TEST_CASE(work_that_ends_by_itself_in_time_is_not_cut_off) {
  std::atomic<int> asked{0};
  {
    const quick_end watch({[&] { return ++asked > 0; }, [] { return 42; }, std::chrono::hours(1)});
    while (asked < 3) ::usleep(1000);
  }
  BOOST_TEST(asked >= 3);
}

BOOST_AUTO_TEST_SUITE_END()
