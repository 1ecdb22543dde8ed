// SPDX-License-Identifier: Apache-2.0
// Of small files that say how a run is doing, and that anybody may have put there.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace depthlens {

// The first 4 KiB. Nothing where there is no plain file that can be read: one that waits for a writer, as a
// pipe does, is not waited for.
std::optional<std::string> beginning_of(const std::filesystem::path& file);

}  // namespace depthlens
