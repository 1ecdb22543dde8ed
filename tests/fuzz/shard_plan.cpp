// SPDX-License-Identifier: Apache-2.0
// The plan of a run's shards; one that is read is written and read again.
#include "fuzz/check.hpp"
#include "fuzz/memory_files.hpp"
#include "fuzz/targets.hpp"

#include "shards/shard_plan.hpp"

#include <string>

namespace depthlens::fuzz {
namespace {

constexpr memory_limit limit{.times = 256, .base = std::size_t{256} << 10};

bool same_split(const depthlens::shard_plan& a, const depthlens::shard_plan& b) {
  return a.bounds == b.bounds && a.shards() == b.shards() && a.limit == b.limit &&
         a.command.arguments == b.command.arguments && a.command.folder == b.command.folder && a.key == b.key;
}

}  // namespace

void shard_plan(std::string_view input) {
  static memory_folder folder, again;
  using plan = depthlens::shard_plan;
  folder.put(plan::file_name, input);
  const auto read = read_cleanly(plan::file_name, input.size(), limit,
                                 [&] { return plan::read(folder.path()); }, {status::data, status::config});
  if (!read || !*read) return;
  const plan& p = **read;
  promise(p.bounds.size() + 1 == p.shards(), "bounds and shares are of other numbers of shards");
  for (const std::uint64_t hash : {std::uint64_t{0}, std::uint64_t{1} << 63, ~std::uint64_t{0}})
    promise(p.shard_of(hash) >= 1 && p.shard_of(hash) <= p.shards(), "a record is in no shard");
  again.put(plan::file_name, p.text());
  const auto there = plan::read(again.path());
  promise(there && same_split(p, *there), "a plan is another after writing and reading it");
}

}  // namespace depthlens::fuzz
