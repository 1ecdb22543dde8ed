// SPDX-License-Identifier: Apache-2.0
// Runs of several processes end with the bytes of one, whatever happens to some of them on the way.
#include "program/sharded_run.hpp"
#include "program/suspended_run.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <fstream>
#include <random>
#include <string>

BOOST_AUTO_TEST_SUITE(shards_of_runs)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;

constexpr std::size_t kRecords = 60;

const sharded_run& tiny() {
  static const sharded_run once(kRecords);
  return once;
}

const std::map<std::string, std::string>& of_one_process() {
  static const std::map<std::string, std::string> once = [] {
    must_work(tiny().run("one"));
    return results_of(tiny().path("one"));
  }();
  return once;
}

void run_shards(const std::string& out, const words& which) {
  for (const std::string& one : which) must_work(tiny().shard(out, one));
}

std::string status_of(const fs::path& dir) { return must_work({"status", dir.string()}).out; }

std::string left_in(const fs::path& dir) { return must_work({"status", dir.string(), "--left"}).out; }

// Puts another digit into the last row of a file that ends with one.
void change_a_digit(const fs::path& file) {
  std::string text = read_bytes(file);
  const auto at = text.find_last_of("0123456789");
  BOOST_REQUIRE(at != std::string::npos);
  text[at] = text[at] == '7' ? '3' : '7';
  std::ofstream(file, std::ios::binary) << text;
}

}  // namespace

BOOST_AUTO_TEST_CASE(merged_shards_are_the_bytes_of_one_process_in_whatever_order_they_ran) {
  run_shards("four", {"3/4", "1/4", "4/4", "2/4"});
  check_no_tables(tiny().path("four") / "shards");
  const outcome merged = must_work({"merge", tiny().path("four").string()});
  BOOST_TEST(merged.out == fs::canonical(tiny().path("four")).string() + "\n");
  check_same_tables(results_of(tiny().path("four")), of_one_process());
  const auto manifest = manifest_of(tiny().path("four"));
  BOOST_TEST((manifest.at("key") == manifest_of(tiny().path("one")).at("key")));
  BOOST_TEST((manifest.at("status") == "complete"));
  BOOST_TEST(manifest.at("records").at("finished").to_number<std::size_t>() == 2 * kRecords);
  // It is a run as any other: the command of one process finds it complete.
  BOOST_TEST(must_work(tiny().run("four")).err.find("0 records in") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(tasks_of_an_array_find_their_shards_in_the_plan) {
  const auto task = [](const char* variable, const char* id) {
    surroundings s;
    s.environment[variable] = id;
    return depthlens_says(tiny().shard("array", "auto"), s);
  };
  const outcome too_early = task("SLURM_ARRAY_TASK_ID", "1");
  BOOST_TEST(too_early.code == 66, too_early.err);
  BOOST_TEST(too_early.err.find("depthlens shard") != std::string::npos, too_early.err);
  const outcome planned = must_work(tiny().plan("array", "3"));
  BOOST_TEST(planned.out.find("shards   3, of ") != std::string::npos, planned.out);
  BOOST_TEST(left_in(tiny().path("array")) == "1-3\n");
  BOOST_TEST(task("SLURM_ARRAY_TASK_ID", "4").code == 64);
  BOOST_TEST(task("JOB_COMPLETION_INDEX", "0").code == 0);  // the last one
  BOOST_TEST(left_in(tiny().path("array")) == "1-2\n");
  BOOST_TEST(task("SLURM_ARRAY_TASK_ID", "1").code == 0);
  BOOST_TEST(task("HQ_TASK_ID", "2").code == 0);
  BOOST_TEST(left_in(tiny().path("array")) == "\n");
  must_work({"merge", tiny().path("array").string()});
  check_same_tables(results_of(tiny().path("array")), of_one_process());
}

BOOST_AUTO_TEST_CASE(what_disagrees_with_the_plan_is_refused_and_named) {
  run_shards("plan", {"1/3"});
  check_refused(tiny().shard("plan", "1/4"), status::config, "shards: 3 -> 4");
  check_refused(tiny().shard("plan", "2/3") + words{"--limit", "5"}, status::config, "limit");
  check_refused(tiny().shard("plan", "2/3") + words{"--target", "gold"}, status::config,
                "target: final -> gold");
  words fewer = words{"run", "facts"} + tiny().options("plan") + words{"--shard", "2/3"};
  fewer.erase(std::find(fewer.begin(), fewer.end(), "--format") - 2,
              std::find(fewer.begin(), fewer.end(), "--format"));
  check_refused(fewer, status::config, "studies.early-exit: is not asked for");
  check_refused(tiny().run("plan"), status::config, "depthlens merge");
  check_refused(tiny().shard("plan", "2/3") + words{"--dry-run"}, status::usage, "--dry-run");
  for (const char* wrong : {"0/3", "4/3", "x", "auto"})
    check_refused(tiny().shard("plan", wrong), status::usage, "--shard");
}

BOOST_AUTO_TEST_CASE(a_merge_lists_what_is_missing_and_makes_a_part_only_when_asked) {
  run_shards("part", {"1/3", "3/3"});
  check_refused({"merge", tiny().path("part").string()}, status::no_input, "2 of 3 shards are done",
                "2 (not begun)");
  const outcome part = must_work({"merge", tiny().path("part").string(), "--partial"});
  BOOST_TEST(part.err.find("a part of the run") != std::string::npos, part.err);
  const auto manifest = manifest_of(tiny().path("part"));
  BOOST_TEST((manifest.at("status") == "partial"));
  BOOST_TEST((manifest.at("shards").at("missing") == "2"));
  bool said = false;
  for (const auto& [name, text] : results_of(tiny().path("part")))
    said |= name.ends_with(".gp") && text.find("2 of 3 shards") != std::string::npos;
  BOOST_TEST(said, "no figure says that it is of a part");
  run_shards("part", {"2/3"});
  must_work({"merge", tiny().path("part").string()});
  check_same_tables(results_of(tiny().path("part")), of_one_process());
}

BOOST_AUTO_TEST_CASE(shards_in_several_folders_are_merged_into_another_and_none_may_be_there_twice) {
  run_shards("here", {"1/2"});
  run_shards("there", {"2/2"});
  must_work({"merge", tiny().path("here").string(), tiny().path("there").string(), "--out",
             tiny().path("all").string()});
  check_same_tables(results_of(tiny().path("all")), of_one_process());
  run_shards("there", {"1/2"});
  check_refused({"merge", tiny().path("here").string(), tiny().path("there").string()}, status::config,
                "shard 1 is there twice");
  run_shards("other", {"1/3"});
  check_refused({"merge", tiny().path("here").string(), tiny().path("other").string()}, status::config,
                "shards: 2 -> 3");
}

BOOST_AUTO_TEST_CASE(a_larger_limit_is_planned_again_and_takes_no_record_from_its_shard) {
  must_work(tiny().plan("grows", "2") + words{"--limit", "20"});
  for (const char* which : {"1/2", "2/2"}) must_work(tiny().shard("grows", which) + words{"--limit", "20"});
  must_work({"merge", tiny().path("grows").string()});
  must_work(tiny().plan("grows", "2"));
  BOOST_TEST(left_in(tiny().path("grows")) == "1-2\n");
  std::size_t run_now = 0;
  for (const char* which : {"1/2", "2/2"}) {
    const std::string said = must_work(tiny().shard("grows", which)).err;
    const auto at = said.find(" records in");
    BOOST_REQUIRE(at != std::string::npos);
    run_now += std::stoul(said.substr(said.rfind(' ', at - 1) + 1));
  }
  BOOST_TEST(run_now == 2 * (kRecords - 20));
  must_work({"merge", tiny().path("grows").string()});
  check_same_tables(results_of(tiny().path("grows")), of_one_process());
}

namespace {

// Gives a command until it ends by itself, each time killed at a moment drawn by chance; on a busy machine
// the moments come to lie where it is at work. Returns how often it was killed.
int kill_until_done(const words& command, std::mt19937& random) {
  int kills = 0;
  for (unsigned most = 150;; most += 100) {
    process p(words{program()} + command);
    if (!p.ends_within(std::chrono::milliseconds(random() % most))) p.send(SIGKILL);
    const int code = p.wait().code;
    if (code == 0) return kills;
    BOOST_REQUIRE_EQUAL(code, 128 + SIGKILL);
    ++kills;
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(shards_that_are_killed_at_any_moment_are_merged_without_a_wrong_byte) {
  std::mt19937 random(11);
  const int wanted = wanted_kills(10);
  int kills = 0, merged = 0;
  for (; kills < wanted; ++merged) {
    const std::string out = "killed" + std::to_string(merged);
    for (const char* which : {"1/3", "2/3", "3/3"})
      kills += kill_until_done(tiny().shard(out, which), random);
    kills += kill_until_done({"merge", tiny().path(out).string()}, random);
    check_same_tables(results_of(tiny().path(out)), of_one_process());
    fs::remove_all(tiny().path(out));
  }
  BOOST_TEST_MESSAGE(kills << " kills in " << merged << " sharded runs");
}

BOOST_AUTO_TEST_CASE(status_tells_a_running_shard_from_a_dead_and_a_failed_one) {
  const fs::path dir = tiny().path("states");
  must_work(tiny().plan("states", "3"));
  process running(words{program()} + tiny().shard("states", "1/3"));
  while (!has_bytes(dir / "shards/0001-of-0003/log/lock", 10) &&
         !running.ends_within(std::chrono::milliseconds(1))) {
  }
  if (running.suspend()) {
    const std::string text = status_of(dir);
    BOOST_TEST(text.find("running    1 shard: 1") != std::string::npos, text);
    BOOST_TEST(text.find(cat("process ", running.pid())) != std::string::npos, text);
    running.send(SIGKILL);
    running.wait();
    BOOST_TEST(status_of(dir).find("dead       1 shard: 1") != std::string::npos, status_of(dir));
  }
  BOOST_TEST(left_in(dir) == "1-3\n");
  run_shards("states", {"1/3", "2/3"});
  const boost::json::object json =
      boost::json::parse(must_work({"status", dir.string(), "--json"}).out).as_object();
  BOOST_TEST(json.at("shards").as_array().size() == 3U);
  BOOST_TEST((json.at("shards").at(1).at("state") == "done"));
  BOOST_TEST((json.at("shards").at(2).at("state") == "not begun"));
  surroundings little;
  little.environment["DEPTHLENS_MEMORY"] = "1M";
  BOOST_TEST(depthlens_says(tiny().shard("states", "3/3"), little).code == 69);
  BOOST_TEST(status_of(dir).find("failed     1 shard: 3") != std::string::npos, status_of(dir));
  BOOST_TEST(left_in(dir) == "3\n");
  check_refused({"merge", dir.string()}, status::no_input, "3 (failed)");
  check_refused({"verify", dir.string()}, status::no_input, "not merged yet");
  run_shards("states", {"3/3"});
  must_work({"merge", dir.string()});
  BOOST_TEST(status_of(dir).find("merged     3 of 3 shards") != std::string::npos, status_of(dir));
  check_refused({"status", tiny().folder().string()}, status::no_input, "neither run.json nor");
  of_one_process();
  BOOST_TEST(status_of(tiny().path("one")).find("done") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(verify_finds_one_changed_digit_and_otherwise_nothing) {
  run_shards("verified", {"1/2", "2/2"});
  const fs::path dir = tiny().path("verified");
  must_work({"merge", dir.string()});
  const outcome same = must_work({"verify", dir.string(), "--rows", "9"});
  BOOST_TEST(same.out.find("9 records: no difference") != std::string::npos, same.out);
  const std::string table = read_bytes(dir / "data/facts_logit.csv");
  change_a_digit(dir / "data/facts_logit.csv");
  const outcome found = depthlens_says({"verify", dir.string(), "--rows", "1"});
  BOOST_TEST(found.code == 65);
  BOOST_TEST(found.out.find("data/facts_logit.csv: is not as the run wrote it") != std::string::npos,
             found.out);
  BOOST_TEST(found.out.find(cat("data/facts_logit.csv: line ",
                                std::count(table.begin(), table.end(), '\n'))) != std::string::npos,
             found.out);
  check_refused({"verify", (dir / "shards/0001-of-0002").string() + "x"}, status::no_input, "no such folder");
}

namespace {

bool catches(pid_t pid, int number) {
  std::ifstream in(cat("/proc/", pid, "/status"));
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("SigCgt:")) return (std::stoull(line.substr(7), nullptr, 16) >> (number - 1)) & 1;
  return false;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_signal_at_any_moment_of_a_command_ends_it_with_code_75_and_says_what_is_kept) {
  run_shards("signalled", {"1/2", "2/2"});
  const std::string dir = tiny().path("signalled").string();
  must_work({"merge", dir});
  const fs::path temporary = tiny().path("temporary");
  fs::create_directory(temporary);
  surroundings s;
  s.environment["TMPDIR"] = temporary.string();
  const std::vector<words> commands = {tiny().plan("unplanned", "2"), {"merge", dir}, {"verify", dir}};
  int stopped = 0;
  for (const words& command : commands) {
    for (int after = 0; after < 20; ++after) {
      process p(words{program()} + command, s);
      while (!catches(p.pid(), SIGTERM) && !p.ends_within(std::chrono::milliseconds(0))) {
      }
      if (!p.ends_within(std::chrono::milliseconds(after * after))) p.send(SIGTERM);
      const outcome o = p.wait();
      BOOST_TEST((o.code == 0 || o.code == 75), command[0] << ": " << o.code << ' ' << o.err);
      stopped += o.code == 75;
      if (command[0] == "verify") BOOST_TEST(o.err.find("goes on") == std::string::npos, o.err);
    }
    must_work({"merge", dir});
  }
  BOOST_TEST(stopped > 0);
  BOOST_TEST(fs::is_empty(temporary));
  check_same_tables(results_of(tiny().path("signalled")), of_one_process());
}

BOOST_AUTO_TEST_CASE(verify_finds_what_run_json_says_wrongly) {
  const fs::path dir = tiny().path("misled"), file = dir / "run.json";
  must_work(tiny().run("misled"));
  const std::string before = read_bytes(file);
  const auto found_after = [&](const std::string& text, const std::string& other) {
    BOOST_REQUIRE(before.find(text) != std::string::npos);
    std::ofstream(file, std::ios::binary)
        << before.substr(0, before.find(text)) << other << before.substr(before.find(text) + text.size());
    const outcome o = depthlens_says({"verify", dir.string(), "--rows", "1"});
    BOOST_TEST(o.code == 65);
    return o.out;
  };
  const auto kept = manifest_of(dir).at("counts").at("facts").as_object().begin()->value().at("kept");
  const std::string count = "\"kept\": " + boost::json::serialize(kept);
  BOOST_TEST(found_after(count, "\"kept\": 7").find("what it counts of facts") != std::string::npos);
  const std::string model = manifest_of(dir).at("key").at("model_sha256").as_string().c_str();
  BOOST_TEST(found_after(model, std::string(64, 'a')).find("model_sha256") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_plan_refuses_what_its_shards_would_refuse) {
  const words patching = words{"shard", "patching", "--n", "2", "--model", tiny().model()} +
                         words{"--data", "patching.source=" + tiny().data().string(),
                               "--data", "patching.target=" + tiny().data().string(),
                               "--null", "shuffled",
                               "--out",  tiny().path("patched").string()};
  check_refused(patching, status::unavailable, "--null shuffled");
  BOOST_TEST(!fs::exists(tiny().path("patched")));
}

BOOST_AUTO_TEST_CASE(job_files_of_every_engine_are_filled_in) {
  for (const char* engine : {"slurm", "hyperqueue", "parallel", "snakemake", "nextflow", "kubernetes"}) {
    const outcome o = must_work(tiny().plan("jobs", "16") + words{"--write", engine});
    BOOST_TEST_CONTEXT(engine) {
      BOOST_TEST(o.out.find("--shard") != std::string::npos);
      for (const char* blank : {"@SHARDS@", "@COMMAND@", "@OUT@", "@PROGRAM@", "@FOLDER@", "@THREADS@",
                                "@MEMORY@", "@MINUTES@", "@NAME@", "@GRES@"})
        BOOST_TEST(o.out.find(blank) == std::string::npos, blank << " is left");
      BOOST_TEST(o.out.find("16") != std::string::npos);
      BOOST_TEST(o.err.find("shards   16") != std::string::npos, o.err);
    }
  }
  check_refused(tiny().plan("jobs", "16") + words{"--write", "slurn"}, status::usage, "slurm");
  check_refused(words{"shard", "facts", "early-exit"} + tiny().options("jobs"), status::usage, "--n");
  // However --out is written, a job file has it once.
  const outcome attached = must_work(words{"shard", "facts", "-o" + tiny().path("short").string()} +
                                     words{"--n", "2", "--model", tiny().model(), "--data",
                                           "facts=" + tiny().data().string(), "--write", "slurm"});
  BOOST_TEST(attached.out.find("-o" + tiny().path("short").string()) == std::string::npos);
  BOOST_TEST(attached.out.find("--out " + tiny().path("short").string()) != std::string::npos, attached.out);
}

BOOST_AUTO_TEST_SUITE_END()
