// SPDX-License-Identifier: Apache-2.0
#define BOOST_TEST_MODULE torch_engine_parts
#include <boost/test/unit_test.hpp>
