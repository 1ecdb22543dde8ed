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

// "6G", "800M", "1.5T" (powers of 1024; also "6g", "6GB", "6GiB"), plain bytes, or "60%" of what there is.
// Errors: status::usage, named after `option`.
memory_budget parse_memory(std::string_view option, const std::string& text);

// What DEPTHLENS_MEMORY says, else (also where it is empty) the default share. Throws what parse_memory
// throws.
memory_budget default_memory();
// The same of a device's own memory: DEPTHLENS_DEVICE_MEMORY, else 90 % of what is free there.
memory_budget default_device_memory();

// Something that bounds what this process may have in all, and what it is.
struct memory_bound {
  std::uint64_t bytes;
  std::string source;  // "MemAvailable", "cgroup /sys/fs/cgroup/...", "ulimit -d, less ..."
  bool fixed = true;   // a limit that is set; false: what happens to be free
};

// All that is found: MemAvailable with what this process has already, the limits of its cgroups (v1 and v2)
// and of all above them, and RLIMIT_AS and RLIMIT_DATA, which count also what is mapped of files, or is only
// reserved, as every thread of so many does: less that.
std::vector<memory_bound> memory_bounds(unsigned threads);

// What a budget comes to.
struct granted_memory {
  std::uint64_t bytes;    // at most the smallest bound that is fixed
  std::string source;     // "80% of 24.2 GiB, MemAvailable", "--memory 6G", with ", cut by ..."
  memory_bound there_is;  // the smallest bound; the largest number where nothing is found
  memory_bound most;      // the smallest that is fixed, likewise
  bool is_less = false;   // than the user asked for
};
granted_memory grant(const memory_budget& budget, const std::vector<memory_bound>& bounds);

// Largest memory of this process so far, in bytes, mapped files included; 0 where the system does not say.
std::uint64_t peak_memory();

// "5.2 GiB", "800 MiB": powers of 1024, as budgets are said.
std::string memory_words(std::uint64_t bytes);

}  // namespace depthlens
