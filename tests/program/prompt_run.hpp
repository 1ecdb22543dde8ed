// SPDX-License-Identifier: Apache-2.0
// Runs of the experiment freq on a few prompts, with the demo model.
#pragma once

#include "program/demo.hpp"

#include <filesystem>
#include <string>

namespace depthlens::test {

struct prompt_run {
  // rows: JSON with "prompt".
  explicit prompt_run(const std::string& rows) : prompts(folder.write("prompts.json", rows)) {}

  std::filesystem::path out(const char* name = "run") const { return folder.path() / name; }
  words freq(const char* name = "run") const {
    return {"run",
            "freq",
            "--model",
            demo_model(),
            "--data",
            "freq=" + prompts,
            "--token-counts",
            token_counts(),
            "--format",
            "svg",
            "--out",
            out(name).string()};
  }

  scratch_folder folder;
  std::string prompts;  // the file
};

}  // namespace depthlens::test
