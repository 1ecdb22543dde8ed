// SPDX-License-Identifier: Apache-2.0
#include "shards/merged_logs.hpp"

#include "depthlens/base/error.hpp"
#include "log/record_log.hpp"
#include "process/stop_signal.hpp"
#include "terminal/log.hpp"

namespace depthlens {
namespace {

void append_missing(const record_log& there, const shard_log& part, const shard_plan& plan, log_file& to) {
  const log_file from(part.file, log_access::read);
  log_scan entries(from);
  while (const auto found = entries.next()) {
    if (stop_asked()) fail(status::stopped, "stopped while logs were put together");
    if (plan.shard_of(found->key.hash) != part.shard)
      fail(status::data, part.file.string(), ": holds record ", found->key.index, ", which is not of shard ",
           part.shard, " by the plan; run that shard again by --fresh, then merge");
    if (!there.has(found->key)) to.append(from.payload(found->at));
  }
  if (entries.damaged_places() > 0 || entries.damaged_end())
    log_warning(cat(part.file.string(), ": is damaged in ", entries.damaged_places(),
                    entries.damaged_places() == 1 ? " place" : " places",
                    " and passed over there; if that costs records, the merge ends with a word, and shard ",
                    part.shard, " is to be run again"));
}

}  // namespace

void merge_logs(const std::filesystem::path& whole, const std::vector<shard_log>& parts,
                const shard_plan& plan) {
  const record_log there(whole);
  log_file to(whole);
  for (const shard_log& part : parts)
    if (std::filesystem::exists(part.file)) append_missing(there, part, plan, to);
  to.sync();
}

}  // namespace depthlens
