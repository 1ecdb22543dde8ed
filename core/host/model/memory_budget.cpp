// SPDX-License-Identifier: Apache-2.0
#include "model/memory_budget.hpp"

#include "depthlens/base/error.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <limits>
#include <optional>
#include <sstream>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

constexpr const char* own_status = "/proc/self/status";

// A line "Name:  123 kB" of a file of /proc, in bytes.
std::optional<std::uint64_t> kilobytes_in(const char* file, std::string_view name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(name)) continue;
    std::uint64_t n = 0;
    if (std::istringstream(line.substr(name.size())) >> n) return n * 1024;
  }
  return std::nullopt;
}

// The number that a file of a cgroup holds; none where it says "max".
std::optional<std::uint64_t> limit_in(const fs::path& file) {
  std::ifstream in(file);
  std::uint64_t n = 0;
  if (!(in >> n)) return std::nullopt;
  constexpr std::uint64_t unlimited = 1ull << 60;  // as v1 writes it, about
  return n < unlimited ? std::optional(n) : std::nullopt;
}

// The group and all above it, up to the root of its hierarchy.
void add_cgroup_limits(const fs::path& root, const fs::path& group, const char* name,
                       std::vector<memory_bound>& out) {
  for (fs::path at = group.relative_path();; at = at.parent_path()) {
    const fs::path file = root / at / name;
    if (const auto limit = limit_in(file)) out.push_back({*limit, "cgroup " + file.string()});
    if (at.empty()) return;
  }
}

void add_cgroups(std::vector<memory_bound>& out) {
  std::ifstream in("/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const fs::path group = line.substr(second + 1);
    if (controllers == ",,") add_cgroup_limits("/sys/fs/cgroup", group, "memory.max", out);
    if (controllers.find(",memory,") != std::string::npos)
      add_cgroup_limits("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes", out);
  }
}

std::optional<std::uint64_t> resource_limit(decltype(RLIMIT_AS) what) {
  rlimit limit{};
  if (::getrlimit(what, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return limit.rlim_cur;
}

// Of files, and of what is reserved only: what an address space holds but memory does not. In steps, as what
// is reserved differs a little from one moment to the next.
std::uint64_t mapped_bytes() {
  constexpr std::uint64_t step = 16u << 20;
  const std::uint64_t all = kilobytes_in(own_status, "VmSize:").value_or(0);
  const std::uint64_t data = kilobytes_in(own_status, "VmData:").value_or(0);
  return (all - std::min(all, data) + step - 1) / step * step;
}

}  // namespace

memory_budget parse_memory(std::string_view option, const std::string& text) {
  const auto refuse = [&] {
    fail(status::usage, option, " ", text,
         ": expected bytes, a number with K, M, G or T (powers of 1024), or a share such as 60%");
  };
  double number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (char& c : unit) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (code != std::errc{} || !std::isfinite(number) || number <= 0) refuse();
  memory_budget out{.said = cat(option, ' ', text)};
  if (unit == "%") {
    out.share = number / 100;
    return out;
  }
  const std::size_t power = unit.empty() ? 0 : std::string_view(" KMGT").find(unit[0]);
  const std::string rest = unit.empty() ? "" : unit.substr(1);
  if (power == std::string_view::npos || (!unit.empty() && power == 0)) refuse();
  if (!rest.empty() && rest != "B" && rest != "IB") refuse();
  const double bytes = std::ldexp(number, static_cast<int>(10 * power));
  if (bytes < 1 || bytes > std::ldexp(1.0, 60)) refuse();
  out.bytes = static_cast<std::uint64_t>(bytes);
  return out;
}

std::vector<memory_bound> memory_bounds(unsigned threads) {
  std::vector<memory_bound> out;
  if (const auto free = kilobytes_in(own_status, "RssAnon:"))
    if (const auto available = kilobytes_in("/proc/meminfo", "MemAvailable:"))
      out.push_back({*available + *free, "MemAvailable", false});
  add_cgroups(out);
  const auto add_less = [&](std::uint64_t limit, std::uint64_t less, const char* source) {
    out.push_back({limit - std::min(limit, less), source});
  };
  constexpr std::uint64_t reserved_once = 32u << 20, reserved_by_thread = 32u << 20;
  const std::uint64_t reserved = reserved_once + threads * reserved_by_thread;
  if (const auto limit = resource_limit(RLIMIT_AS))
    add_less(*limit, mapped_bytes() + reserved, "ulimit -v, less files that are mapped and what is reserved");
  if (const auto limit = resource_limit(RLIMIT_DATA))
    add_less(*limit, reserved, "ulimit -d, less what is reserved");
  return out;
}

namespace {

memory_budget said_by(const char* variable, const memory_budget& otherwise) {
  const char* said = std::getenv(variable);
  return said == nullptr || *said == 0 ? otherwise : parse_memory(variable, said);
}

const memory_bound* smallest(const std::vector<memory_bound>& bounds, bool fixed_only) {
  const memory_bound* out = nullptr;
  for (const memory_bound& b : bounds)
    if ((b.fixed || !fixed_only) && (out == nullptr || b.bytes < out->bytes)) out = &b;
  return out;
}

}  // namespace

memory_budget default_memory() { return said_by("DEPTHLENS_MEMORY", {}); }

memory_budget default_device_memory() {
  constexpr double most = 0.9;  // the rest is for what libraries take for themselves
  return said_by("DEPTHLENS_DEVICE_MEMORY", {.share = most});
}

granted_memory grant(const memory_budget& budget, const std::vector<memory_bound>& bounds) {
  const memory_bound* least = smallest(bounds, false);
  const memory_bound* most = smallest(bounds, true);
  const memory_bound none{std::numeric_limits<std::uint64_t>::max(), "no limit found"};
  const memory_bound there_is = least ? *least : none, fixed = most ? *most : none;
  if (budget.bytes == 0) {
    const std::string said = budget.said.empty() ? cat(std::lround(100 * budget.share), '%') : budget.said;
    return {static_cast<std::uint64_t>(static_cast<double>(there_is.bytes) * std::min(budget.share, 1.0)),
            cat(said, " of ", memory_words(there_is.bytes), ", ", there_is.source), there_is, fixed,
            budget.share > 1};
  }
  if (fixed.bytes < budget.bytes)
    return {fixed.bytes, cat(budget.said, ", cut by ", fixed.source), there_is, fixed, true};
  return {budget.bytes, budget.said, there_is, fixed};
}

std::uint64_t peak_memory() { return kilobytes_in(own_status, "VmHWM:").value_or(0); }

std::string memory_words(std::uint64_t bytes) {
  constexpr double kilo = 1u << 10, mega = 1u << 20, giga = 1u << 30;
  std::ostringstream out;
  const auto n = static_cast<double>(bytes);
  out << std::fixed << std::setprecision(n < giga ? 0 : 1);
  if (n < mega) return out << n / kilo << " KiB", out.str();
  if (n < giga) return out << n / mega << " MiB", out.str();
  return out << n / giga << " GiB", out.str();
}

}  // namespace depthlens
