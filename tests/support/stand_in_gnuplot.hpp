// SPDX-License-Identifier: Apache-2.0
// A shell script that stands in for gnuplot: first in PATH as long as the object lives.
#pragma once

#include "support/figures_files.hpp"

#include <filesystem>
#include <string>

namespace depthlens::test {

class stand_in_gnuplot {
 public:
  explicit stand_in_gnuplot(const std::string& script)
      : program_(folder_.write("gnuplot", "#!/bin/sh\n" + script)),
        path_("PATH", folder_.path().string() + ":" + std::getenv("PATH")) {
    std::filesystem::permissions(program_, std::filesystem::perms::owner_all);
  }
  const std::filesystem::path& program() const { return program_; }

 private:
  scratch_folder folder_;
  std::filesystem::path program_;
  changed_variable path_;
};

}  // namespace depthlens::test
