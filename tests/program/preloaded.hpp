// SPDX-License-Identifier: Apache-2.0
// The libraries of tests/faults, which are loaded before others and make calls of the program fail.
#pragma once

#include <boost/test/unit_test.hpp>

#include <cstdlib>

namespace depthlens::test {

// Is the library there that the environment variable names? For preconditions of tests.
struct can_preload {
  const char* variable;

  boost::test_tools::assertion_result operator()(boost::unit_test::test_unit_id) const {
    const char* const library = std::getenv(variable);
    boost::test_tools::assertion_result can(library != nullptr && *library != '\0');
    if (!can) can.message() << "a build with sanitizers cannot preload a library that stands in for another";
    return can;
  }
};

}  // namespace depthlens::test
