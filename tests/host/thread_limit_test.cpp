// SPDX-License-Identifier: Apache-2.0
// How many threads can be made, where few can: in a child process with a limit of its own.
#include "model/thread_limit.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

BOOST_AUTO_TEST_SUITE(thread_limits)

namespace {

// The thread sanitizer maps more than any limit allows, and bears no threads behind a fork.
#ifdef __SANITIZE_THREAD__
constexpr bool limits_bind = false;
#else
constexpr bool limits_bind = true;
#endif

}  // namespace

BOOST_AUTO_TEST_CASE(all_threads_that_are_wanted_are_possible_where_nothing_forbids_it) {
  BOOST_TEST(depthlens::threads_possible(1) == 1U);
  BOOST_TEST(depthlens::threads_possible(5) == 5U);
}

BOOST_AUTO_TEST_CASE(few_threads_are_possible_without_address_space_for_their_stacks,
                     *boost::unit_test::enable_if<limits_bind>()) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit none{1 << 20, 1 << 20};
    ::setrlimit(RLIMIT_AS, &none);
    ::_exit(static_cast<int>(depthlens::threads_possible(64)));
  }
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_TEST(WIFEXITED(status));
  BOOST_TEST(WEXITSTATUS(status) >= 1);
  BOOST_TEST(WEXITSTATUS(status) < 64);  // some stacks of earlier threads are used again
}

BOOST_AUTO_TEST_SUITE_END()
