// SPDX-License-Identifier: Apache-2.0
// log/progress of a run that is at work: how far it is, for others to look at. It is written over in place
// and promises nothing: what is finished is what the logs hold.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace depthlens {

struct run_progress {
  std::uint64_t begun = 0, finished = 0, wanted = 0;  // records: there when the process began, now, in all
  std::chrono::milliseconds at_work{0};               // since then

  // Of the work that is left, at the speed so far; nothing where none is known.
  std::optional<std::chrono::milliseconds> left() const;
};

// Never fails: a disk that is full is told by what matters.
void write_progress(const std::filesystem::path& file, const run_progress& p) noexcept;
// Nothing where none can be read.
std::optional<run_progress> read_progress(const std::filesystem::path& file);

}  // namespace depthlens
