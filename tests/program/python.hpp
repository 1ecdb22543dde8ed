// SPDX-License-Identifier: Apache-2.0
// The Python of tests that need one, which DEPTHLENS_PYTHON may name.
#pragma once

#include "program/process.hpp"

#include <cstdlib>
#include <string>

namespace depthlens::test {

inline std::string python() {
  const char* const named = std::getenv("DEPTHLENS_PYTHON");
  return named != nullptr && *named != '\0' ? named : "python3";
}

inline bool python_runs(const std::string& code) { return run({python(), "-c", code}).code == 0; }

}  // namespace depthlens::test
