// SPDX-License-Identifier: Apache-2.0
#include "shards/shard_state.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "results/folder_lock.hpp"
#include "results/plain_file.hpp"
#include "results/run_device.hpp"
#include "results/run_progress.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <sstream>
#include <utility>

namespace depthlens {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr std::size_t longest_failure = 2000;

std::optional<milliseconds> age_by_our_clock(const fs::path& file) {
  const std::optional<timespec> then = time_of(file);
  timespec now{};
  if (!then || ::clock_gettime(CLOCK_REALTIME, &now) != 0) return std::nullopt;
  return milliseconds((now.tv_sec - then->tv_sec) * 1000 + (now.tv_nsec - then->tv_nsec) / 1'000'000);
}

// Who may only look has no other clock than this machine's.
std::optional<milliseconds> age(const fs::path& file) {
  const auto by_file_system = age_of(file);
  return by_file_system ? by_file_system : age_by_our_clock(file);
}

// Looks at the lock. Returns whether its holder lives.
bool look_at_holder(const fs::path& lock, shard_state& s) {
  const auto text = read_lock(lock);
  if (!text) return false;
  s.holder = holder_of(*text);
  const auto by_file_system = age_of(lock);
  s.renewed = by_file_system ? by_file_system : age_by_our_clock(lock);
  // Of one that is just being taken.
  if (s.holder.host.empty()) return s.renewed && *s.renewed < silence_of_the_dead;
  if (s.holder.is_in_sight()) return s.holder.lives();
  // That clock was set back. Who lives has renewed the lock since.
  if (by_file_system && *by_file_system < -lock_timing().lease) return false;
  return s.renewed && *s.renewed < silence_of_the_dead;
}

void look_at_progress(const fs::path& file, shard_state& s) {
  const auto p = read_progress(file);
  if (!p) return;
  s.finished = std::max(s.finished, p->finished);
  if (s.wanted == 0) s.wanted = p->wanted;
  s.progressed = age(file);
  if (s.phase == shard_phase::running && s.progressed)
    if (const auto left = p->left()) s.left = std::max(milliseconds(0), *left - *s.progressed);
}

constexpr const char* failed_start = "failure";  // of a shard that has no run.json

void look_at_failed_start(shard_state& s) {
  constexpr std::size_t longest = 5 * longest_failure;  // shown, a byte may take four
  std::istringstream in(read_plain(s.folder / failed_start, longest).value_or(""));
  if (!std::getline(in, s.failure)) return;
  s.failure = visible_line(from_visible(s.failure).substr(0, longest_failure));
  s.phase = shard_phase::failed;
  if (int code = 0; in >> code) s.exit = code;
}

shard_phase phase_of(const manifest& about) {
  const std::string status = text_at(&about.fields, "status").value_or("");
  if (status == "complete") return shard_phase::done;
  if (status == "partial") return shard_phase::part;
  if (status == "stopped") return shard_phase::stopped;
  if (status == "failed") return shard_phase::failed;
  return status.empty() ? shard_phase::not_begun : shard_phase::dead;
}

}  // namespace

std::string_view phase_name(shard_phase p) {
  switch (p) {
    case shard_phase::not_begun:
      return "not begun";
    case shard_phase::running:
      return "running";
    case shard_phase::stopped:
      return "stopped";
    case shard_phase::short_of_plan:
      return "to go on";
    case shard_phase::failed:
      return "failed";
    case shard_phase::dead:
      return "dead";
    case shard_phase::part:
      return "in part";
    case shard_phase::done:
      return "done";
  }
  return "";
}

namespace {

// wanted: by the plan; nothing, where run.json alone knows.
shard_state look_at(const fs::path& folder, std::optional<std::uint64_t> wanted) {
  shard_state s;
  s.number = 1;
  s.folder = folder;
  s.wanted = wanted.value_or(0);
  std::error_code absent;
  if (!fs::is_directory(s.folder, absent)) {
    if (absent == std::errc::permission_denied)
      fail(status::permission, s.folder.string(), ": cannot be looked into: ", absent.message());
    return s;
  }
  try {
    s.about = manifest::read(s.folder / "run.json");
    s.phase = phase_of(s.about);
  } catch (const error& e) {
    s.phase = shard_phase::failed;
    s.failure = e.what();
    if (e.code() == status::permission || e.code() == status::io) s.unreadable = e.code();
  }
  const auto* records = object_at(&s.about.fields, "records");
  s.finished = number_at(records, "finished").value_or(0);
  if (!wanted) s.wanted = number_at(records, "wanted").value_or(0);
  if (s.phase == shard_phase::failed && s.failure.empty())
    s.failure = text_at(&s.about.fields, "failure").value_or("");
  if (const auto code = number_at(&s.about.fields, "exit"); code && s.phase == shard_phase::failed)
    s.exit = static_cast<int>(std::min<std::uint64_t>(*code, 255));
  // Planned for more records since: it is to go on.
  if (wanted && s.phase == shard_phase::done && number_at(records, "wanted") != wanted)
    s.phase = shard_phase::short_of_plan;
  const bool locked = fs::exists(s.folder / "log" / "lock", absent);
  if (locked && look_at_holder(s.folder / "log" / "lock", s))
    s.phase = shard_phase::running;
  else if (locked && s.phase == shard_phase::not_begun)
    s.phase = shard_phase::dead;
  if (s.phase == shard_phase::dead && locked && s.renewed && s.renewed->count() >= 0 &&
      !s.holder.is_in_sight())
    s.taken_over = std::max(milliseconds(0), lock_timing().lease - *s.renewed);
  if (s.phase == shard_phase::not_begun) look_at_failed_start(s);
  if (s.phase != shard_phase::not_begun && s.phase != shard_phase::done && s.phase != shard_phase::part)
    look_at_progress(s.folder / "log" / "progress", s);
  return s;
}

}  // namespace

void note_failed_start(const fs::path& root, std::uint64_t number, std::uint64_t of, std::string_view why,
                       int exit) noexcept {
  try {
    const auto plan = shard_plan::read(root);
    if (!plan || plan->shards() != of) return;
    const fs::path folder = root / shard_folder(number, of);
    std::error_code code;
    if (fs::exists(folder / "log" / "lock", code) || fs::exists(folder / "run.json", code)) return;
    fs::create_directories(folder, code);
    write_plain(folder / failed_start, cat(visible_line(why.substr(0, longest_failure)), '\n', exit, '\n'));
  } catch (const std::exception&) {  // the failure itself is what counts
  }
}

void forget_failed_start(const fs::path& folder) noexcept {
  std::error_code code;
  if (fs::exists(folder / "run.json", code)) fs::remove(folder / failed_start, code);
}

shard_state look_at_run(const fs::path& folder) { return look_at(folder, std::nullopt); }

shard_state look_at_shard(const fs::path& root, const shard_plan& plan, std::uint64_t number) {
  shard_state s = look_at(root / shard_folder(number, plan.shards()), plan.shares[number - 1].records);
  s.number = number;
  return s;
}

std::string shards_by_device(const std::vector<shard_state>& shards) {
  std::map<std::string, std::vector<std::uint64_t>> by_device;
  for (const shard_state& s : shards)
    for (const std::string& d : devices_of(s.about.fields)) {
      auto& numbers = by_device[device_class(d)];
      if (numbers.empty() || numbers.back() != s.number) numbers.push_back(s.number);
    }
  if (by_device.size() < 2) return "";
  std::string out;
  for (const auto& [device, numbers] : by_device)
    out += cat(out.empty() ? "" : "; ", visible_line(device), ": ", number_list(numbers));
  return out;
}

std::vector<shard_state> look_at_shards(const fs::path& root, const shard_plan& plan) {
  std::vector<shard_state> out;
  for (std::uint64_t i = 1; i <= plan.shards(); ++i) out.push_back(look_at_shard(root, plan, i));
  return out;
}

}  // namespace depthlens
