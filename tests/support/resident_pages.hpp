// SPDX-License-Identifier: Apache-2.0
// Which pages of a mapping are in this process's memory.
#pragma once

#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

namespace depthlens::test {

// Kilobytes of the mapping that begins at `at` which are in memory.
inline std::size_t resident(const std::byte* at) {
  std::ostringstream address;
  address << std::hex << reinterpret_cast<std::uintptr_t>(at) << '-';
  std::ifstream maps("/proc/self/smaps");
  for (std::string line; std::getline(maps, line);) {
    if (!line.starts_with(address.str())) continue;
    while (std::getline(maps, line) && !line.starts_with("Rss:")) {
    }
    return std::stoul(line.substr(4));
  }
  return 0;
}

// For tests that are skipped where the kernel does not count.
inline boost::test_tools::assertion_result with_page_counts(boost::unit_test::test_unit_id) {
  const std::string maps = read_bytes("/proc/self/smaps");
  boost::test_tools::assertion_result counted(maps.find("Rss:") != std::string::npos);
  if (!counted) counted.message() << "this kernel does not say which pages of a mapping are in memory";
  return counted;
}

}  // namespace depthlens::test
