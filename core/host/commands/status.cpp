// SPDX-License-Identifier: Apache-2.0
// depthlens status DIR: how far a run or each of its shards is.
#include "commands/command.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/text.hpp"
#include "shards/shard_state.hpp"
#include "terminal/time_words.hpp"

#include <algorithm>
#include <array>
#include <iomanip>
#include <iostream>
#include <optional>

namespace depthlens {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

std::string words_of(milliseconds t) { return time_words(static_cast<double>(t.count()) / 1000); }

bool has_holder(const shard_state& s) {
  return (s.phase == shard_phase::running || s.phase == shard_phase::dead) && !s.holder.host.empty();
}

// "node7, process 1234, job 77; last record 3 s ago; 2 min left"
std::string words_about(const shard_state& s) {
  std::string out;
  const auto add = [&](const std::string& text) { out += (out.empty() ? "" : "; ") + text; };
  if (has_holder(s))
    add(cat(visible_line(s.holder.host), ", process ", s.holder.pid,
            s.holder.job.id.empty() ? "" : cat(", job ", s.holder.job.id)));
  constexpr milliseconds skew{10'000};
  if (has_holder(s) && s.renewed && *s.renewed < -skew)
    add(cat("its clock is ahead by ", words_of(-*s.renewed)));
  else if (s.phase == shard_phase::dead && s.renewed)
    add(cat("not heard of for ", words_of(std::max(milliseconds(0), *s.renewed))));
  if (s.taken_over)
    add(cat("another task takes it over in ", words_of(*s.taken_over), ", and waits for that"));
  if (s.phase == shard_phase::running && s.progressed)
    add(cat("last progress ", words_of(*s.progressed), " ago"));
  if (s.left) add(cat(words_of(*s.left), " left"));
  if (s.phase == shard_phase::failed)
    add(cat(s.exit ? cat("exit ", *s.exit, ": ") : "",
            s.failure.empty() ? "its log says why" : visible_line(s.failure)));
  return out;
}

constexpr std::array phases = {shard_phase::done,          shard_phase::part,     shard_phase::running,
                               shard_phase::stopped,       shard_phase::failed,   shard_phase::dead,
                               shard_phase::short_of_plan, shard_phase::not_begun};

std::vector<std::uint64_t> numbers_in(const std::vector<shard_state>& all, shard_phase phase) {
  std::vector<std::uint64_t> out;
  for (const shard_state& s : all)
    if (s.phase == phase) out.push_back(s.number);
  return out;
}

void print_states(const std::vector<shard_state>& all) {
  std::uint64_t finished = 0, wanted = 0;
  for (const shard_state& s : all) {
    finished += s.finished;
    wanted += s.wanted;
  }
  std::cout << std::left << std::setw(11) << "records" << finished << " of " << wanted << '\n';
  for (const shard_phase phase : phases) {
    const auto numbers = numbers_in(all, phase);
    if (numbers.empty()) continue;
    std::cout << std::left << std::setw(11) << phase_name(phase);
    if (all.size() > 1)
      std::cout << numbers.size() << (numbers.size() == 1 ? " shard: " : " shards: ") << number_list(numbers);
    std::cout << '\n';
    if (phase == shard_phase::done || phase == shard_phase::part || phase == shard_phase::not_begun) continue;
    for (const shard_state& s : all)
      if (s.phase == phase)
        std::cout << "  " << (all.size() > 1 ? cat(s.number, ": ") : "")
                  << (phase == shard_phase::dead ? "at least " : "") << s.finished << " of " << s.wanted
                  << " records" << (words_about(s).empty() ? "" : "; ") << words_about(s) << '\n';
  }
}

boost::json::value seconds_of(const std::optional<milliseconds>& t) {
  return t ? boost::json::value(static_cast<double>(t->count()) / 1000) : boost::json::value(nullptr);
}

boost::json::object to_json(const shard_state& s) {
  boost::json::object o;
  o["shard"] = s.number;
  o["state"] = phase_name(s.phase);
  o["finished"] = s.finished;
  o["wanted"] = s.wanted;
  o["folder"] = visible(s.folder.string());
  if (has_holder(s)) {
    o["host"] = visible(s.holder.host);
    o["pid"] = s.holder.pid;
    if (!s.holder.job.id.empty()) o["job"] = s.holder.job.id;
    o["renewed_s"] = seconds_of(s.renewed);
    o["progressed_s"] = seconds_of(s.progressed);
    o["left_s"] = seconds_of(s.left);
  }
  if (s.taken_over) o["taken_over_s"] = seconds_of(s.taken_over);
  if (!s.failure.empty()) o["failure"] = visible(s.failure);
  if (s.exit) o["exit"] = *s.exit;
  return o;
}

// What run.json of the whole says of the shards that its tables are of.
struct merged_state {
  std::uint64_t shards = 0, of = 0, records = 0;
  bool is_all_of(const shard_plan& plan) const {
    std::uint64_t planned = 0;
    for (const shard_share& s : plan.shares) planned += s.records;
    return of == plan.shards() && shards == of && records == planned;
  }
};

std::optional<merged_state> merged_in(const fs::path& dir) {
  const manifest whole = manifest::read(dir / "run.json");
  const auto* shards = object_at(&whole.fields, "shards");
  const std::string state = text_at(&whole.fields, "status").value_or("");
  if (shards == nullptr || (state != "complete" && state != "partial")) return std::nullopt;
  const auto* const run =
      object_at(&whole.fields, "records");  // earlier versions have their number there alone
  const std::uint64_t records = number_at(shards, "records").value_or(number_at(run, "finished").value_or(0));
  return merged_state{number_at(shards, "merged").value_or(0), number_at(shards, "of").value_or(0), records};
}

void print_json(const std::vector<shard_state>& all, const std::optional<merged_state>& merged) {
  boost::json::object o;
  boost::json::array shards;
  std::uint64_t finished = 0, wanted = 0;
  for (const shard_state& s : all) {
    finished += s.finished;
    wanted += s.wanted;
    shards.push_back(to_json(s));
  }
  o["finished"] = finished;
  o["wanted"] = wanted;
  if (merged) o["merged"] = {{"shards", merged->shards}, {"of", merged->of}, {"records", merged->records}};
  o["shards"] = std::move(shards);
  std::cout << pretty(o) << '\n';
}

struct looked_at {
  std::optional<shard_plan> plan;
  std::vector<shard_state> states;
  std::optional<merged_state> merged;
};

looked_at look_at(const fs::path& dir) {
  if (!input_is_folder(dir)) fail(status::no_input, dir.string(), ": no such folder");
  looked_at out{.plan = shard_plan::read(dir), .states = {}, .merged = merged_in(dir)};
  if (!out.plan) {
    out.states.push_back(look_at_run(dir));
    if (out.states[0].phase == shard_phase::not_begun)
      fail(status::no_input, dir.string(), ": neither run.json nor ", shard_plan::file_name,
           " there; give the output folder of a run");
    return out;
  }
  out.states = look_at_shards(dir, *out.plan);
  if (out.merged && out.merged->is_all_of(*out.plan))
    for (shard_state& s : out.states)
      if (s.phase == shard_phase::not_begun) {  // it came from another folder
        s.phase = shard_phase::done;
        s.finished = s.wanted;
      }
  return out;
}

void print_merged(const looked_at& l) {
  const std::string devices = shards_by_device(l.states);
  if (!devices.empty())
    std::cout << "devices    " << devices << "; merge asks for one, or --allow-mixed-devices\n";
  if (!l.plan && !l.merged) return;
  std::cout << "merged     ";
  if (!l.merged) {
    std::cout << "no: depthlens merge makes tables and figures\n";
    return;
  }
  std::cout << l.merged->shards << " of " << l.merged->of << " shards, " << l.merged->records << " records";
  if (l.plan && !l.merged->is_all_of(*l.plan)) std::cout << ": not all that is planned; merge again";
  std::cout << '\n';
}

bool is_left(const shard_state& s) {
  return s.phase != shard_phase::done && s.phase != shard_phase::running && s.phase != shard_phase::part;
}

}  // namespace

int status_command(const arguments& args) {
  namespace po = boost::program_options;
  po::options_description d("Options");
  d.add_options()("dir", po::value<std::string>()->value_name("DIR"), "output folder of a run or of shards")(
      "json", po::bool_switch(), "as JSON")(
      "left", po::bool_switch(),
      "only the shards that nobody is at and that are not done, as 3,7-9: for --array of a resubmission");
  d.add(common_options());
  const parsed_options o =
      parse_options(args,
                    "usage: depthlens status DIR [--json | --left]\n\n"
                    "How far a run, or each shard of it, is; where it runs, and what it failed with.\n",
                    d, {{"dir", 1}});
  if (o.done) return 0;
  if (!o.has("dir")) fail(status::usage, "status needs the output folder of a run");
  const bool json = o.values["json"].as<bool>(), left = o.values["left"].as<bool>();
  if (json && left) fail(status::usage, "--json and --left are two forms; give one");
  const looked_at l = look_at(o.text("dir"));
  if (left) {
    std::vector<std::uint64_t> numbers;
    for (const shard_state& s : l.states)
      if (is_left(s)) numbers.push_back(s.number);
    std::cout << number_list(numbers) << '\n';
  } else if (json) {
    print_json(l.states, l.merged);
  } else {
    print_states(l.states);
    print_merged(l);
  }
  return 0;
}

}  // namespace depthlens
