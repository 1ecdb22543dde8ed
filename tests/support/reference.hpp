// SPDX-License-Identifier: Apache-2.0
// Reference data that lies beside the project on some machines: in the folder that DEPTHLENS_REFERENCE names,
// or in ../shared of the source tree. Tests that need it are decorated with precondition(with_reference) and
// reported as skipped where it is not; all else must pass without it.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>

namespace depthlens::test {

// Empty where neither variable is set: ctest sets DEPTHLENS_SOURCE.
inline std::filesystem::path reference_path() {
  const auto folder_in = [](const char* name) {
    const char* value = std::getenv(name);
    return std::filesystem::path(value == nullptr ? "" : value);
  };
  const std::filesystem::path named = folder_in("DEPTHLENS_REFERENCE"),
                              source = folder_in("DEPTHLENS_SOURCE");
  return !named.empty() || source.empty() ? named : source.parent_path() / "shared";
}

inline boost::test_tools::assertion_result with_reference(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result found(std::filesystem::is_directory(reference_path()));
  if (!found) found.message() << "there is no reference data in \"" << reference_path().string() << '"';
  return found;
}

}  // namespace depthlens::test
