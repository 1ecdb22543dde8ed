// SPDX-License-Identifier: Apache-2.0
// Tests that every backend plugin passes. The plugin under test is the file that the environment variable
// DEPTHLENS_TEST_BACKEND names.
#define BOOST_TEST_MODULE depthlens_backend
#include <boost/test/unit_test.hpp>
