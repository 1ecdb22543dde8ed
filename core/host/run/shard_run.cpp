// SPDX-License-Identifier: Apache-2.0
#include "run/shard_run.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "results/folder_owner.hpp"
#include "run/agreed_plan.hpp"
#include "run/run_session.hpp"
#include "terminal/log.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

// --shard auto takes N from the plan, and its task 0 is the last shard.
shard_part place_of(const run_request& r) {
  shard_part out{.number = r.shard->number, .of = r.shard->of, .root = r.out};
  if (out.of == 0) {
    const auto plan = shard_plan::read(r.out);
    if (!plan)
      fail(status::no_input, r.out.string(), ": no ", shard_plan::file_name, " there, which says how many ",
           "shards --shard auto is of; write it by: depthlens shard ... --n N --out ", r.out.string());
    out.of = plan->shards();
    if (out.number == 0) out.number = out.of;
  }
  if (out.number > out.of)
    fail(status::usage, "--shard auto: this is task ", out.number, ", and the plan in ", r.out.string(),
         " is of ", out.of, " shards");
  return out;
}

shard_plan plan_in(const fs::path& folder) {
  if (auto plan = shard_plan::read(folder)) return *std::move(plan);
  fail(status::no_input, folder.string(), ": no ", shard_plan::file_name,
       " there; give the --out of the shards");
}

// One line of those that cannot be merged yet: "2 (running), 3-5 (not begun)".
std::string unfinished_for_people(const std::vector<shard_state>& states) {
  std::map<shard_phase, std::vector<std::uint64_t>> by_phase;
  for (const shard_state& s : states) by_phase[s.phase].push_back(s.number);
  std::string out;
  for (const auto& [phase, numbers] : by_phase)
    out += cat(out.empty() ? "" : ", ", number_list(numbers), " (", phase_name(phase), ")");
  return out;
}

void refuse_other_key(const shard_state& s, const boost::json::object& planned) {
  const auto* key = object_at(&s.about.fields, "key");
  const std::string text =
      key == nullptr ? "its run.json does not say what it was made of" : differences_of(planned, *key);
  if (!text.empty())
    fail(status::config, s.folder.string(), ": is of another configuration than the plan (", text, ")");
}

// Of each shard the folder in which it is done. Where it is in none, how far it is in the first.
std::vector<shard_state> find_shards(const std::vector<fs::path>& folders, const shard_plan& plan) {
  std::vector<shard_state> out = look_at_shards(folders.front(), plan);
  for (std::size_t f = 1; f < folders.size(); ++f)
    for (shard_state& s : look_at_shards(folders[f], plan)) {
      shard_state& known = out[s.number - 1];
      if (s.phase == shard_phase::done && known.phase == shard_phase::done)
        fail(status::config, "shard ", s.number, " is there twice: ", known.folder.string(), " and ",
             s.folder.string(), "; move one of the two away");
      if (known.phase == shard_phase::not_begun || s.phase == shard_phase::done) known = std::move(s);
    }
  return out;
}

// What is written there would be taken for a shard's.
void refuse_within(const fs::path& out, const fs::path& shards) {
  const fs::path a = fs::weakly_canonical(out), b = fs::weakly_canonical(shards);
  if (a != b && std::mismatch(b.begin(), b.end(), a.begin(), a.end()).first == b.end())
    fail(status::usage, "--out ", out.string(), ": lies within ", shards.string(),
         ", which holds the shards; choose that itself or another folder");
}

merged_part parts_of(const merge_request& merge) {
  merged_part out;
  out.plan = plan_in(merge.folders.front());
  for (const fs::path& folder : merge.folders) {
    const shard_plan other = plan_in(folder);
    std::string text = differences(out.plan, other);
    if (text.empty() && other.bounds != out.plan.bounds) text = "bounds";
    if (!text.empty())
      fail(status::config, folder.string(), ": its plan is not that of ", merge.folders.front().string(),
           " (", text, ")");
  }
  std::vector<shard_state> left;
  for (shard_state& s : find_shards(merge.folders, out.plan))
    (s.phase == shard_phase::done ? out.shards : left).push_back(std::move(s));
  for (const shard_state& s : out.shards) refuse_other_key(s, out.plan.key);
  for (const shard_state& s : left)
    if (s.unreadable) fail(status::permission, s.failure);
  if (left.empty()) return out;
  const std::string what = cat(out.shards.size(), " of ", out.plan.shards(), " shards are done; not ",
                               unfinished_for_people(left));
  if (!merge.partial || out.shards.empty())
    fail(status::no_input, merge.folders.front().string(), ": ", what,
         out.shards.empty() ? "; run those first" : "; run those, or merge what is there by --partial");
  log_warning(cat("a part of the run: ", what));
  return out;
}

}  // namespace

int execute_shard(run_request request, registry& plugins) {
  if (request.dry_run)
    fail(status::usage, "--dry-run cannot go with --shard: depthlens shard says what each will take");
  if (std::filesystem::is_directory(request.out) && !std::filesystem::exists(request.out / "run.json"))
    refuse_foreign_folder(request.out, "cannot become that of shards");
  refuse_run_without_plan(request.out);
  run_part part;
  part.shard = place_of(request);
  request.work.backend = backend_of_plan(part.shard->root, request.work.backend);
  request.out = part.shard->root / shard_folder(part.shard->number, part.shard->of);
  log_info(cat("shard ", part.shard->number, " of ", part.shard->of));
  const fs::path folder = request.out;
  begin_shard_folder(folder);
  try {
    const int ended = execute_run(std::move(request), plugins, part);
    forget_failed_start(folder);
    return ended;
  } catch (const error& e) {
    if (e.code() != status::stopped) note_failed_start(folder, e.what(), static_cast<int>(e.code()));
    throw;
  }
}

void refuse_unmerged(const fs::path& folder) {
  if (fs::exists(folder / shard_plan::file_name) && !is_complete(manifest::read(folder / "run.json").fields))
    fail(status::config, folder.string(), ": holds the shards of a run; depthlens merge ", folder.string(),
         " puts them together, --shard I/N goes on with one, --fresh moves them aside");
}

void refuse_running_shards(const fs::path& folder) {
  const auto plan = shard_plan::read(folder);
  if (!plan) return;
  for (const shard_state& s : look_at_shards(folder, *plan))
    if (s.phase == shard_phase::running)
      fail(status::config, folder.string(), ": shard ", s.number, " is running on ",
           visible_line(s.holder.host), ", process ", s.holder.pid, "; --fresh moves nothing away from it");
}

void refuse_folder_of_shard(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  const fs::path own = whole.has_filename() ? whole : whole.parent_path();
  const fs::path root = own.parent_path().parent_path();
  if (own.parent_path().filename() == "shards" && fs::exists(root / shard_plan::file_name))
    fail(status::config, folder.string(), ": is the folder of a shard; give that of the run, ",
         root.string());
}

void refuse_run_without_plan(const fs::path& folder) {
  if (fs::exists(folder / "run.json") && !fs::exists(folder / shard_plan::file_name))
    fail(status::config, folder.string(),
         ": holds a run that was not cut into shards; depthlens run goes on "
         "with it, --fresh moves it aside, or choose another --out");
}

int execute_merge(run_request request, const merge_request& merge, registry& plugins) {
  const merged_part parts = parts_of(merge);
  for (const fs::path& folder : merge.folders) refuse_within(request.out, folder);
  refuse_foreign_folder(request.out, "cannot become that of a run");
  run_part part;
  part.merged = &parts;
  const manifest there = manifest::read(request.out / "run.json");
  if (const auto merged = number_at(object_at(&there.fields, "shards"), "merged");
      is_complete(there.fields) && merged.value_or(0) > parts.shards.size())
    fail(status::config, request.out.string(), ": holds the tables of ", *merged, " shards, and here are ",
         parts.shards.size(), "; choose another --out");
  request.fresh = false;
  request.work.backend = text_at(&parts.plan.key, "backend").value_or(request.work.backend);
  return execute_run(std::move(request), plugins, part);
}

}  // namespace depthlens
