// SPDX-License-Identifier: Apache-2.0
// Where the demo model lies: DEPTHLENS_MODEL, else where share/get-model.sh puts it.
#pragma once

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace depthlens::test {

inline std::filesystem::path demo_model_path() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (const std::string model = variable("DEPTHLENS_MODEL"); !model.empty()) return model;
  std::filesystem::path cache = variable("XDG_CACHE_HOME");
  if (cache.empty()) cache = std::filesystem::path(variable("HOME")) / ".cache";
  return cache / "depthlens/models/SmolLM2-135M-Instruct.Q4_1.gguf";
}

inline boost::test_tools::assertion_result with_demo_model(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result found(std::filesystem::is_regular_file(demo_model_path()));
  if (!found) found.message() << "the demo model is missing; get it with: bash share/get-model.sh";
  return found;
}

}  // namespace depthlens::test
