// SPDX-License-Identifier: Apache-2.0
// Reference data that lies beside the project on some machines: DEPTHLENS_REFERENCE names its folder. A test
// that needs it and does not find it says so and ends; all else must pass without it.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>

namespace depthlens::test {

inline std::filesystem::path reference_path() {
  const char* folder = std::getenv("DEPTHLENS_REFERENCE");
  return folder == nullptr ? std::filesystem::path() : std::filesystem::path(folder);
}

// False, with a message in the log, if the reference data is not there.
inline bool has_reference() {
  if (!reference_path().empty() && std::filesystem::is_directory(reference_path())) return true;
  BOOST_TEST_MESSAGE("skipped: DEPTHLENS_REFERENCE does not name a folder of reference data");
  return false;
}

}  // namespace depthlens::test
