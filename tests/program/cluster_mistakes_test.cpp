// SPDX-License-Identifier: Apache-2.0
// What goes wrong between a plan and its merge: commands that do not fit the folder they name, and states
// that nobody finished. Each is refused by name, or told as it is.
#include "program/sharded_run.hpp"
#include "program/suspended_run.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <string>

BOOST_AUTO_TEST_SUITE(cluster_mistakes)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;

const sharded_run& tiny() {
  static const sharded_run once(12);
  return once;
}

std::string text_of(const std::string& name) { return tiny().path(name).string(); }

// Of one experiment, with these options besides.
words one(const std::string& command, const std::string& out, const words& more = {}) {
  return words{command,     "early-exit", "--model",  tiny().model(),
               "--out",     text_of(out), "--data",   "early-exit=" + tiny().data().string(),
               "--threads", "1",          "--format", "svg"} +
         more;
}

std::string said_by(const words& command) { return must_work(command).out; }

void check_says(const words& command, const std::string& part) {
  const std::string text = said_by(command);
  BOOST_TEST(text.find(part) != std::string::npos, part << " is not in: " << text);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_run_that_was_made_by_several_commands_is_verified_as_a_whole) {
  const words facts = words{"run", "facts", "--model", tiny().model(), "--out", text_of("grown")} +
                      words{"--data", "facts=" + tiny().data().string(), "--format", "svg"};
  must_work(facts + words{"--lens", "logit", "--lens", "b:logit"});
  must_work(facts);
  must_work(one("run", "grown"));
  must_work(one("run", "grown"));
  const auto commands = manifest_of(tiny().path("grown")).at("commands").as_object();
  BOOST_TEST(commands.size() == 3U);
  BOOST_TEST(commands.contains("facts (2)"));
  check_says({"verify", text_of("grown"), "--rows", "3"}, "no difference");
  fs::remove(tiny().path("grown") / "log/facts.b.log");
  check_refused({"verify", text_of("grown"), "--rows", "1"}, status::no_input, "log/facts.b.log");
}

BOOST_AUTO_TEST_CASE(data_sets_that_came_one_by_one_are_verified_too) {
  const auto pos = [](const std::string& set) {
    return words{"run",      "pos",
                 "--model",  tiny().model(),
                 "--out",    text_of("sets"),
                 "--format", "svg",
                 "--data",   cat("pos.", set, "=", tiny().data().string())};
  };
  must_work(pos("DET"));
  must_work(pos("NOUN"));
  check_says({"verify", text_of("sets"), "--rows", "30"}, "24 records: no difference");
  const fs::path file = tiny().path("sets") / "run.json";
  boost::json::object manifest = manifest_of(tiny().path("sets"));
  manifest["commands"] = boost::json::object();
  std::ofstream(file) << boost::json::serialize(manifest);
  const outcome none = depthlens_says({"verify", text_of("sets")});
  BOOST_TEST(none.code == 65);
  BOOST_TEST(none.out.find("no command there makes the tables of pos, lens logit") != std::string::npos,
             none.out);
}

BOOST_AUTO_TEST_CASE(a_run_of_one_process_is_not_hidden_behind_shards) {
  must_work(one("run", "whole"));
  check_refused(one("shard", "whole", {"--n", "2"}), status::config, text_of("whole"), "not cut into shards");
  check_refused(one("run", "whole", {"--shard", "1/2"}), status::config, "not cut into shards");
  check_says({"status", text_of("whole")}, "12 of 12");
}

BOOST_AUTO_TEST_CASE(a_folder_is_not_moved_away_from_a_shard_that_runs_there) {
  must_work(one("shard", "busy", {"--n", "2"}));
  const fs::path lock = tiny().path("busy") / "shards/0001-of-0002/log/lock";
  process running(words{program()} + one("run", "busy", {"--shard", "1/2"}));
  while (!has_bytes(lock, 10) && !running.ends_within(std::chrono::milliseconds(1))) {
  }
  if (running.suspend()) {
    check_refused(one("run", "busy", {"--fresh"}), status::config, "shard 1 is running",
                  cat("process ", running.pid()));
    running.send(SIGKILL);
  }
  running.wait();
}

BOOST_AUTO_TEST_CASE(a_living_shard_is_not_taken_over_from_another_pid_namespace) {
  const words inside{"unshare", "--pid", "--fork", "--mount-proc"};
  if (run(inside + words{"true"}).code != 0) {
    BOOST_TEST_MESSAGE("skipped: PID namespaces may not be made here");
    return;
  }
  must_work(one("shard", "contained", {"--n", "2"}));
  const fs::path lock = tiny().path("contained") / "shards/0001-of-0002/log/lock";
  const words shard = words{program()} + one("run", "contained", {"--shard", "1/2"});
  process running(shard);
  while (!has_bytes(lock, 10) && !running.ends_within(std::chrono::milliseconds(1))) {
  }
  if (running.suspend()) {
    const std::string before = read_bytes(lock);
    const outcome status = run(inside + words{program(), "status", text_of("contained")});
    BOOST_TEST(status.out.find("running    1 shard: 1") != std::string::npos, status.out);
    const outcome other = run(inside + shard);
    BOOST_TEST(other.code == 78, other.err);
    BOOST_TEST(other.err.find("in another container") != std::string::npos, other.err);
    BOOST_TEST(read_bytes(lock) == before);
    running.send(SIGKILL);
  }
  running.wait();
}

BOOST_AUTO_TEST_CASE(a_folder_is_not_moved_away_from_a_shard_whose_clock_is_ahead) {
  must_work(one("shard", "ahead", {"--n", "2"}));
  const fs::path shard = tiny().path("ahead") / "shards/0001-of-0002", lock = shard / "log/lock";
  fs::create_directories(shard / "log");
  std::ofstream(lock) << "another.machine 17 12345\n";
  for (const auto& [hours, state] : {std::pair(0, "running"), std::pair(24, "dead")}) {
    const auto ahead = std::chrono::minutes(5) + std::chrono::hours(hours);
    fs::last_write_time(lock, fs::file_time_type::clock::now() + ahead);
    check_says({"status", text_of("ahead")}, state);
    check_says({"status", text_of("ahead")}, "its clock is ahead by ");
    check_refused(one("run", "ahead", {"--fresh"}), status::config, "shard 1", "running on another.machine");
  }
}

BOOST_AUTO_TEST_CASE(two_dashes_with_nothing_behind_them_change_nothing) {
  must_work(one("shard", "dashes", {"--n", "2", "--"}));
  const std::string plan = read_bytes(tiny().path("dashes") / "shards.json");
  BOOST_TEST(plan.find("\"--\"") == std::string::npos, plan);
  must_work(one("run", "dashes", {"--shard", "1/2", "--"}));
  must_work(one("run", "dashes", {"--shard", "2/2"}));
  must_work({"merge", text_of("dashes"), "--"});
  must_work(one("run", "one dash", {"--"}));
  BOOST_TEST(read_bytes(tiny().path("one dash") / "run.json").find("\"--\"") == std::string::npos);
  check_says({"verify", text_of("one dash"), "--rows", "3", "--"}, "no difference");
  check_refused(one("run", "dashes", {"--", "facts"}), status::usage, "\"facts\" is not");
}

BOOST_AUTO_TEST_CASE(the_folder_of_a_shard_is_not_taken_for_that_of_a_run) {
  for (const char* which : {"1/2", "2/2"}) must_work(one("run", "parts", {"--shard", which}));
  const std::string shard = text_of("parts/shards/0001-of-0002");
  check_refused(one("run", "parts/shards/0001-of-0002"), status::config, "is the folder of a shard",
                text_of("parts"));
  for (const char* command : {"verify", "plot", "report"})
    check_refused({command, shard}, status::config, "is the folder of a shard");
  must_work({"merge", text_of("parts")});
}

BOOST_AUTO_TEST_CASE(status_of_merged_shards_says_what_the_tables_are_of) {
  for (const char* which : {"1/2", "2/2"}) must_work(one("run", "first", {"--shard", which, "--limit", "4"}));
  must_work({"merge", text_of("first")});
  check_says({"status", text_of("first")}, "merged     2 of 2 shards, 4 records\n");
  must_work(one("shard", "first", {"--n", "2", "--limit", "12"}));
  check_says({"status", text_of("first")}, "to go on");
  for (const char* which : {"1/2", "2/2"})
    must_work(one("run", "first", {"--shard", which, "--limit", "12"}));
  check_says({"status", text_of("first")}, "4 records: not all that is planned; merge again");

  // Of shards in two folders, and of a part, in a folder without a plan.
  must_work(one("run", "here", {"--shard", "1/2"}));
  must_work({"merge", text_of("here"), "--partial", "--out", text_of("part")});
  check_says({"status", text_of("part")}, "in part");
  BOOST_TEST(said_by({"status", text_of("part"), "--left"}) == "\n");
  must_work(one("run", "there", {"--shard", "2/2"}));
  must_work({"merge", text_of("here"), text_of("there")});
  check_says({"status", text_of("here")}, "done       2 shards: 1-2");
  BOOST_TEST(said_by({"status", text_of("here"), "--left"}) == "\n");
  check_refused({"merge", text_of("here"), "--partial"}, status::config, "holds the tables of 2 shards");
  const auto json = boost::json::parse(said_by({"status", text_of("here"), "--json"}));
  BOOST_TEST((json.at("merged").at("records") == 12));
}

BOOST_AUTO_TEST_CASE(shards_of_another_lens_are_merged_into_a_run_that_was_cut_itself) {
  for (const char* which : {"1/2", "2/2"}) must_work(one("run", "whole run", {"--shard", which}));
  must_work({"merge", text_of("whole run")});
  for (const char* which : {"1/3", "2/3", "3/3"})
    must_work(one("run", "more", {"--shard", which, "--lens", "b:logit"}));
  must_work({"merge", text_of("more"), "--out", text_of("whole run")});
  check_says({"status", text_of("whole run")}, "merged     2 of 2 shards, 12 records\n");
  check_says({"verify", text_of("whole run"), "--rows", "3"}, "6 records: no difference");
  must_work(one("run", "both lenses", {"--lens", "logit", "--lens", "b:logit"}));
  check_same_tables(tables_of(tiny().path("whole run")), tables_of(tiny().path("both lenses")));
}

BOOST_AUTO_TEST_CASE(what_a_task_ended_with_is_told_with_its_code) {
  must_work(one("shard", "failing", {"--n", "2"}));
  surroundings little;
  little.environment["DEPTHLENS_MEMORY"] = "1M";
  BOOST_TEST(depthlens_says(one("run", "failing", {"--shard", "2/2"}), little).code == 69);
  check_says({"status", text_of("failing")}, "exit 69: ");
  const auto json = boost::json::parse(said_by({"status", text_of("failing"), "--json"}));
  BOOST_TEST((json.at("shards").at(1).at("exit") == 69));
}

BOOST_AUTO_TEST_CASE(a_shard_that_did_not_begin_leaves_a_word_in_its_own_run_alone) {
  surroundings little;
  little.environment["DEPTHLENS_MEMORY"] = "1M";
  BOOST_TEST(depthlens_says(one("run", "brand new", {"--shard", "1/2"}), little).code == 69);
  BOOST_TEST(!fs::exists(tiny().path("brand new")));
  // It is removed once the shard is done.
  must_work(one("shard", "later", {"--n", "2"}));
  BOOST_TEST(depthlens_says(one("run", "later", {"--shard", "1/2"}), little).code == 69);
  const fs::path failure = tiny().path("later") / "shards/0001-of-0002/failure";
  BOOST_TEST(fs::exists(failure));
  must_work(one("run", "later", {"--shard", "1/2"}));
  BOOST_TEST(!fs::exists(failure));
}

BOOST_AUTO_TEST_CASE(a_shard_whose_folder_is_moved_away_does_not_make_it_anew) {
  must_work(one("shard", "moved", {"--n", "2"}));
  const fs::path shards = tiny().path("moved") / "shards", lock = shards / "0001-of-0002/log/lock";
  process running(words{program()} + one("run", "moved", {"--shard", "1/2"}));
  while (!has_bytes(lock, 10) && !running.ends_within(std::chrono::milliseconds(1))) {
  }
  if (!running.suspend()) return;
  fs::rename(shards / "0001-of-0002", tiny().path("moved away"));
  running.send(SIGCONT);
  const outcome o = running.wait();
  BOOST_TEST(!fs::exists(shards / "0001-of-0002"), o.code << ": " << o.err);
}

BOOST_AUTO_TEST_CASE(a_changed_data_file_is_named_as_such) {
  const scratch_folder folder;
  const fs::path data = folder.write("a.json", read_bytes(tiny().data()));
  words command = one("run", "edited");
  for (std::string& word : command)
    if (word.starts_with("early-exit=")) word = "early-exit=" + data.string();
  must_work(command + words{"--shard", "1/2"});
  std::ofstream(data, std::ios::app) << '\n';
  check_refused(command + words{"--shard", "2/2"}, status::config,
                "studies.early-exit.data.sha256: ", "a data file is not as it was then: put that back");
}

BOOST_AUTO_TEST_CASE(a_config_file_does_not_begin_a_run_anew_each_time) {
  const scratch_folder folder;
  for (const char* line : {"fresh = true", "shard = 1/2"}) {
    const fs::path config = folder.write("c.ini", line);
    check_refused(one("run", "config", {"--config", config.string()}), status::usage,
                  "is for the command line");
  }
}

BOOST_AUTO_TEST_CASE(a_job_file_holds_the_options_that_were_typed_for_it) {
  must_work(one("shard", "again", {"--n", "2"}));
  const std::string file =
      said_by(one("shard", "again", {"--n", "2", "--write", "slurm", "--window", "16", "--memory", "900M"}));
  BOOST_TEST(file.find("--window 16") != std::string::npos, file);
  BOOST_TEST(file.find("--memory 900M") != std::string::npos, file);
  words glued = one("shard", "unused", {"--n", "2", "--write", "slurm"});
  const auto at = std::find(glued.begin(), glued.end(), "--out");
  *at = "-qo";
  const std::string once = said_by(glued);
  BOOST_TEST(once.find("-qo") == std::string::npos, once);
  BOOST_TEST(once.find("--out " + text_of("unused")) != std::string::npos, once);
}

BOOST_AUTO_TEST_CASE(no_name_becomes_a_line_of_a_job_file) {
  for (const char* bad : {"a\nb", "a\rb",
                          "a\xC2\x85"
                          "b",
                          "a\xE2\x80\xA8"
                          "b",
                          "a\xff"
                          "b"})
    for (const char* engine : {"slurm", "hyperqueue", "parallel", "snakemake", "nextflow", "kubernetes"}) {
      check_refused(one("shard", bad, {"--n", "2", "--write", engine}), status::usage,
                    "a job file cannot hold");
      fs::remove_all(tiny().path(bad));
    }
  // The folder in which it is planned stands in them too.
  const fs::path here = tiny().path("c\ntouch X\n");
  fs::create_directories(here);
  surroundings s;
  s.folder = here;
  const outcome o = depthlens_says(one("shard", "planned", {"--n", "2", "--write", "slurm"}), s);
  BOOST_TEST(o.code == 64);
  // A shell gets what Groovy's comments and Kubernetes' arguments hold as it stands there.
  const std::string name = "it's $(touch X) $$";
  const std::string nextflow = said_by(one("shard", name, {"--n", "2", "--write", "nextflow"}));
  BOOST_TEST(nextflow.find("status '" + text_of("it'\\''s $(touch X) $$") + "'") != std::string::npos,
             nextflow);
  const std::string kubernetes = said_by(one("shard", name, {"--n", "2", "--write", "kubernetes"}));
  BOOST_TEST(kubernetes.find("s $$(touch X) $$$$'") != std::string::npos, kubernetes);
}

BOOST_AUTO_TEST_CASE(gnu_parallel_takes_a_job_file_whose_path_looks_like_its_own_words) {
  const fs::path here = tiny().path("a {} {#} {.}{/} {= 1 =} {2}");
  fs::create_directories(here);
  const std::string out = "a {} {#} {.}{/} {= 1 =} {2}/run";
  const std::string text = said_by(one("shard", out, {"--n", "2", "--write", "parallel"}));
  BOOST_TEST(text.find("--shard {2} ::: ") != std::string::npos, text);
  std::ofstream(here / "job.sh") << text;
  if (run({"parallel", "--version"}).code != 0) {
    BOOST_TEST_MESSAGE("skipped: there is no GNU parallel");
    return;
  }
  surroundings s;
  s.folder = here;
  const outcome o = run({"bash", (here / "job.sh").string()}, s);
  BOOST_TEST(o.code == 0, o.err);
  check_says({"status", text_of(out)}, "done       2 shards: 1-2");
}

BOOST_AUTO_TEST_SUITE_END()
