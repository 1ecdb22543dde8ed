// SPDX-License-Identifier: Apache-2.0
// depthlens status DIR: how far a run or each of its shards is.
#include "commands/command.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/text.hpp"
#include "shards/shard_state.hpp"
#include "terminal/time_words.hpp"

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
  if (s.phase == shard_phase::dead && s.renewed) add(cat("not heard of for ", words_of(*s.renewed)));
  if (s.phase == shard_phase::running && s.progressed)
    add(cat("last progress ", words_of(*s.progressed), " ago"));
  if (s.left) add(cat(words_of(*s.left), " left"));
  if (s.phase == shard_phase::failed) add(s.failure.empty() ? "its log says why" : visible_line(s.failure));
  return out;
}

constexpr std::array phases = {shard_phase::done,   shard_phase::running, shard_phase::stopped,
                               shard_phase::failed, shard_phase::dead,    shard_phase::not_begun};

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
    if (phase == shard_phase::done || phase == shard_phase::not_begun) continue;
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
  if (!s.failure.empty()) o["failure"] = visible(s.failure);
  return o;
}

void print_json(const std::vector<shard_state>& all) {
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
  o["shards"] = std::move(shards);
  std::cout << pretty(o) << '\n';
}

std::vector<shard_state> states_in(const fs::path& dir) {
  if (!input_is_folder(dir)) fail(status::no_input, dir.string(), ": no such folder");
  if (const auto plan = shard_plan::read(dir)) return look_at_shards(dir, *plan);
  shard_state whole = look_at_run(dir);
  if (whole.phase == shard_phase::not_begun)
    fail(status::no_input, dir.string(), ": neither run.json nor ", shard_plan::file_name,
         " there; give the output folder of a run");
  return {std::move(whole)};
}

// "2 of 4 shards"
std::string merged_words(const fs::path& dir) {
  const manifest whole = manifest::read(dir / "run.json");
  const auto* shards = object_at(&whole.fields, "shards");
  if (shards == nullptr) return "no: depthlens merge makes tables and figures";
  return cat(number_at(shards, "merged").value_or(0), " of ", number_at(shards, "of").value_or(0), " shards");
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
  const std::vector<shard_state> all = states_in(o.text("dir"));
  if (left) {
    std::vector<std::uint64_t> numbers;
    for (const shard_state& s : all)
      if (s.phase != shard_phase::done && s.phase != shard_phase::running) numbers.push_back(s.number);
    std::cout << number_list(numbers) << '\n';
  } else if (json) {
    print_json(all);
  } else {
    print_states(all);
    if (fs::exists(fs::path(o.text("dir")) / shard_plan::file_name))
      std::cout << "merged     " << merged_words(o.text("dir")) << '\n';
  }
  return 0;
}

}  // namespace depthlens
