// SPDX-License-Identifier: Apache-2.0
// A shell script that the program takes for another one: a folder with it, put first in PATH.
#pragma once

#include "program/process.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>

namespace depthlens::test {

class stand_in {
 public:
  stand_in(const std::string& name, const std::string& script)
      : program_(folder_.write(name, "#!/bin/sh\n" + script)) {
    std::filesystem::permissions(program_, std::filesystem::perms::owner_all);
  }
  surroundings use() const { return {{{"PATH", folder_.path().string() + ":" + std::getenv("PATH")}}, {}}; }

 private:
  scratch_folder folder_;
  std::filesystem::path program_;
};

}  // namespace depthlens::test
