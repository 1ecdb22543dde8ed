// SPDX-License-Identifier: Apache-2.0
#include "run/agreed_plan.hpp"

#include "depthlens/base/error.hpp"
#include "process/stop_signal.hpp"
#include "results/manifest.hpp"
#include "results/run_folder.hpp"
#include "run/run_key.hpp"
#include "shards/shard_cut.hpp"
#include "terminal/log.hpp"

#include <chrono>
#include <limits>
#include <thread>
#include <utility>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

// Members that only the first has.
void add_missing(const std::string& path, const boost::json::object& a, const boost::json::object& b,
                 const char* what, std::string& out) {
  for (const auto& [key, value] : a) {
    const std::string name = path + std::string(key);
    const auto* other = b.if_contains(key);
    if (other == nullptr)
      out += cat(out.empty() ? "" : "; ", name, ": ", what);
    else if (value.is_object() && other->is_object())
      add_missing(name + ".", value.get_object(), other->get_object(), what, out);
  }
}

boost::json::object compared_fields(const shard_plan& p) {
  boost::json::object out = p.key;
  out["shards"] = p.shards();
  if (p.limit == std::numeric_limits<std::uint64_t>::max())
    out["limit"] = "all";
  else
    out["limit"] = p.limit;
  return out;
}

std::uint64_t records_of(const shard_plan& p) {
  std::uint64_t n = 0;
  for (const shard_share& s : p.shares) n += s.records;
  return n;
}

// Without bounds and shares.
shard_plan begin_plan(const run_inputs& inputs, const std::string& backend, std::uint64_t of) {
  shard_plan out;
  out.key = make_run_key(inputs, backend);
  out.limit = inputs.request.limit;
  out.command = inputs.request.command;
  out.shares.resize(of);
  return out;
}

std::vector<weighed_record> weigh(const run_inputs& inputs) {
  log_info(cat("planning the shards: ", inputs.records_wanted(), " records"));
  std::vector<weighed_record> records = weigh_records(inputs.sessions, stop_asked());
  if (stop_asked()) fail(status::stopped, "stopped before the plan of the shards was complete");
  return records;
}

void refuse_other_plan(const shard_plan& there, const shard_plan& mine, const fs::path& root) {
  if (const std::string text = differences(there, mine); !text.empty())
    fail(status::config, root.string(), " holds the plan of another run (", text, "); ", advice_on(text),
         "give the command that it was planned with",
         there.limit < mine.limit ? ", enlarge it by depthlens shard" : "", ", or choose another --out");
}

// What another process has just put there may show only after a moment on a network file system.
shard_plan read_soon(const fs::path& root) {
  constexpr int tries = 50;
  for (int i = 0; i < tries; ++i) {
    if (auto there = shard_plan::read(root)) return *std::move(there);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  fail(status::io, (root / shard_plan::file_name).string(),
       ": another process has written it, and it cannot ", "be read");
}

}  // namespace

std::string differences(const shard_plan& there, const shard_plan& mine) {
  const boost::json::object a = compared_fields(there), b = compared_fields(mine);
  std::string out = differences_of(a, b);
  add_missing("", a, b, "is not asked for", out);
  add_missing("", b, a, "is not in it", out);
  return out;
}

std::string backend_of_plan(const fs::path& root, const std::string& asked) {
  if (asked != "auto") return asked;
  const auto plan = shard_plan::read(root);
  return plan ? text_at(&plan->key, "backend").value_or(asked) : asked;
}

shard_plan agree_on_plan(const run_inputs& inputs, const std::string& backend, const fs::path& root,
                         std::uint64_t of) {
  shard_plan mine = begin_plan(inputs, backend, of);
  if (auto there = shard_plan::read(root)) {
    refuse_other_plan(*there, mine, root);
    return *std::move(there);
  }
  cut_evenly(weigh(inputs), of, mine);
  make_folder(root);
  if (mine.write_first(root)) return mine;
  shard_plan there = read_soon(root);
  refuse_other_plan(there, mine, root);
  return there;
}

shard_plan plan_again(const run_inputs& inputs, const std::string& backend, const fs::path& root,
                      std::uint64_t of) {
  auto there = shard_plan::read(root);
  shard_plan mine = begin_plan(inputs, backend, of);
  if (!there || there->limit >= mine.limit) return agree_on_plan(inputs, backend, root, of);
  shard_plan before = *there;
  before.limit = mine.limit;
  refuse_other_plan(before, mine, root);
  mine.bounds = there->bounds;
  count_shares(weigh(inputs), mine);
  log_warning(cat("the plan in ", root.string(), " is enlarged from ", records_of(*there), " to ",
                  records_of(mine),
                  " records; job files printed before are of the former --limit, and end "
                  "with 78: print them again"));
  mine.write(root);
  return mine;
}

}  // namespace depthlens
