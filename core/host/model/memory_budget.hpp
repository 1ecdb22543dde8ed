// SPDX-License-Identifier: Apache-2.0
// How much memory may be taken, of this process or of a device: as much as the user says, or most of what
// there is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// Bytes; 0 = the default share of what there is.
struct memory_budget {
  std::uint64_t bytes = 0;
  double share = 0.8;  // of what there is, where no bytes are said
  std::string said;    // by the user: "--memory 6G"
  // By an option of this command, not by the environment, which may speak of other commands.
  bool by_option() const { return said.starts_with("--"); }
};

// "6G", "800M", "1.5T" (powers of 1024), plain bytes, or "60%" of what there is. Errors: status::usage, named
// after `option`.
memory_budget parse_memory(std::string_view option, const std::string& text);

// What DEPTHLENS_MEMORY says, else the default share. Throws what parse_memory throws.
memory_budget default_memory();
// The same of a device's own memory: DEPTHLENS_DEVICE_MEMORY, else 90 % of what is free there.
memory_budget default_device_memory();

// Something that bounds what this process may have in all, and what it is.
struct memory_bound {
  std::uint64_t bytes;
  std::string source;  // "MemAvailable", "cgroup /sys/fs/cgroup/...", "RLIMIT_DATA"
};

// All that is found: MemAvailable with what this process has already, the limits of its cgroups (v1 and v2)
// and of all above them, RLIMIT_AS less the files that are mapped, and RLIMIT_DATA.
std::vector<memory_bound> memory_bounds();
// The smallest; the largest number where nothing is found.
memory_bound smallest_bound(const std::vector<memory_bound>& bounds);

// The budget in bytes, and what it comes from in words: "80% of 24.2 GB, MemAvailable", "--memory 6G".
std::uint64_t bytes_of(const memory_budget& budget, const memory_bound& there_is);
std::string source_of(const memory_budget& budget, const memory_bound& there_is);

// Memory of this process that is not backed by files, in bytes: what it may write to.
std::uint64_t memory_in_use();
// Largest memory of this process so far, in bytes, mapped files included; 0 where the system does not say.
std::uint64_t peak_memory();

// "5.2 GB"
std::string memory_words(std::uint64_t bytes);

}  // namespace depthlens
