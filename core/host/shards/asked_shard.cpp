// SPDX-License-Identifier: Apache-2.0
#include "shards/asked_shard.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace depthlens {
namespace {

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t n = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), n);
  return code == std::errc{} && end == text.data() + text.size() ? std::optional(n) : std::nullopt;
}

asked_shard shard_of_task() {
  for (const char* name : {"HQ_TASK_ID", "JOB_COMPLETION_INDEX", "SLURM_ARRAY_TASK_ID"}) {
    const char* const value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const auto n = whole_number(value);
    if (!n || *n > most_shards)
      fail(status::usage, "--shard auto: ", name, " is \"", visible_line(value),
           "\", expected a whole number up to ", most_shards);
    return {.number = *n};
  }
  fail(status::usage, "--shard auto: this is no task of an array: none of HQ_TASK_ID, JOB_COMPLETION_INDEX ",
       "and SLURM_ARRAY_TASK_ID is set; give --shard I/N");
}

}  // namespace

asked_shard parse_numbered_shard(const std::string& text) {
  const auto slash = text.find('/');
  if (slash != std::string::npos) {
    const auto number = whole_number(std::string_view(text).substr(0, slash)),
               of = whole_number(std::string_view(text).substr(slash + 1));
    if (number && of && *of <= most_shards && *number >= 1 && *number <= *of)
      return {.number = *number, .of = *of};
  }
  fail(status::usage, "--shard ", text, ": expected I/N, as 1/4, with I from 1 to N and N up to ",
       most_shards);
}

asked_shard parse_shard(const std::string& text) {
  if (text == "auto") return shard_of_task();
  if (text.find('/') == std::string::npos)
    fail(status::usage, "--shard ", text, ": expected I/N, as 1/4, or auto");
  return parse_numbered_shard(text);
}

}  // namespace depthlens
