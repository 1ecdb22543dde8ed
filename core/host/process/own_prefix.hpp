// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/dll/runtime_symbol_info.hpp>

#include <filesystem>

namespace depthlens {

// The folder that bin/depthlens lies in, of the program that runs: an installed prefix, or a build tree.
inline std::filesystem::path own_prefix() {
  return std::filesystem::path(boost::dll::program_location().string()).parent_path().parent_path();
}

}  // namespace depthlens
