// SPDX-License-Identifier: Apache-2.0
#include "run/shard_planning.hpp"

#include "depthlens/base/error.hpp"
#include "model/thread_limit.hpp"
#include "results/folder_owner.hpp"
#include "results/run_folder.hpp"
#include "run/agreed_plan.hpp"
#include "run/counted_run.hpp"
#include "run/job_file.hpp"
#include "run/shard_run.hpp"
#include "shards/shard_state.hpp"
#include "terminal/log.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <utility>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

void move_plan_aside(const fs::path& root) {
  refuse_running_shards(root);
  if (const fs::path old = move_aside(root); !old.empty())
    log_info(cat("the former run is now ", old.string()));
}

std::string from_to(std::uint64_t least, std::uint64_t most, const char* what) {
  return least == most ? cat(most, ' ', what) : cat(least, " to ", most, ' ', what);
}

// What the largest shard takes.
shard_needs needs_of(const run_inputs& inputs, const counted_run& counted, const shard_plan& plan) {
  std::uint64_t all = 0, most = 0;
  for (const shard_share& s : plan.shares) {
    all += s.tokens;
    most = std::max(most, s.tokens);
  }
  const double share = all > 0 ? static_cast<double>(most) / static_cast<double>(all) : 1;
  const std::uint64_t memory =
      counted.plan ? memory_of(counted.plan->memory, counted.counts, counted.advice.kept_token_bytes)
                   : inputs.request.work.memory.bytes;
  return {.memory = memory,
          .flops = product_flops(inputs, counted.counts) * share,
          .threads = inputs.request.work.threads};
}

void print_plan(const shard_plan& plan, const shard_needs& needs, const fs::path& root, std::ostream& out) {
  const auto by = [](auto member) {
    return [member](const shard_share& a, const shard_share& b) { return a.*member < b.*member; };
  };
  const auto records = std::minmax_element(plan.shares.begin(), plan.shares.end(), by(&shard_share::records));
  const auto tokens = std::minmax_element(plan.shares.begin(), plan.shares.end(), by(&shard_share::tokens));
  const auto line = [&](const char* name, const std::string& text) {
    out << std::left << std::setw(9) << name << text << '\n';
  };
  line("shards",
       cat(plan.shards(), ", of ", from_to(records.first->records, records.second->records, "records"),
           " and ", from_to(tokens.first->tokens, tokens.second->tokens, "tokens to compute")));
  line("memory", cat("at most ", needs.memory >> 20, " MiB each"));
  line(
      "time",
      cat(needs.minutes(), " minutes are asked for each, with ", needs.threads,
          needs.threads == 1 ? " thread" : " threads", " (10, and twice what ", std::fixed,
          std::setprecision(0), needs.flops / 1e9,
          " GFLOP of the largest take at 10 a second and thread; depthlens bench says what a machine does)"));
  line("plan", (root / shard_plan::file_name).string());
  if (const auto empty = std::count_if(plan.shares.begin(), plan.shares.end(),
                                       [](const shard_share& s) { return s.records == 0; }))
    log_warning(cat(empty, " of ", plan.shards(), " shards have no records: fewer would do"));
}

}  // namespace

int plan_shards(run_request request, const planning_request& planning, registry& plugins) {
  if (!planning.engine.empty()) check_engine(planning.engine);
  const thread_limit limit(request.work.threads);
  const fs::path root = request.out;
  if (request.fresh) move_plan_aside(root);
  if (fs::is_directory(root) && !fs::exists(root / "run.json"))
    refuse_foreign_folder(root, "cannot become that of shards");
  refuse_run_without_plan(root);
  request.work.backend = backend_of_plan(root, request.work.backend);
  run_inputs inputs(std::move(request));
  const counted_run counted = count_run(inputs, plugins);
  shard_plan plan = plan_again(inputs, counted.backend, root, planning.shards);
  plan.command = inputs.request.command;  // what the plan does not hold, as --memory, may be another
  const shard_needs needs = needs_of(inputs, counted, plan);
  const fs::path place = fs::canonical(root);
  print_plan(plan, needs, place, planning.engine.empty() ? std::cout : std::cerr);
  if (!planning.engine.empty())
    std::cout << job_file(planning.engine, {.plan = plan,
                                            .needs = needs,
                                            .root = place,
                                            .backend = counted.backend,
                                            .device = inputs.request.work.device});
  return 0;
}

}  // namespace depthlens
