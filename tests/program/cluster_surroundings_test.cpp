// SPDX-License-Identifier: Apache-2.0
// Shards and what is around them: containers that share a folder, clocks, pipes in place of files, folders
// that are moved away, and signals that come early.
#include "program/sharded_run.hpp"
#include "program/suspended_run.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

#include <fstream>
#include <string>

BOOST_AUTO_TEST_SUITE(cluster_surroundings)

namespace {

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;
using boost::unit_test::precondition;

const sharded_run& tiny() {
  static const sharded_run once(12);
  return once;
}

fs::path first_of(const std::string& out) { return tiny().path(out) / "shards/0001-of-0002"; }

std::string status_of(const std::string& out) { return must_work({"status", tiny().path(out).string()}).out; }

void check_says(const std::string& text, const std::string& part) {
  BOOST_TEST(text.find(part) != std::string::npos, part << " is not in: " << text);
}

const words in_a_container = {"unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"};

boost::test_tools::assertion_result with_containers(boost::unit_test::test_unit_id) {
  return run(in_a_container + words{"true"}).code == 0;
}

// Does the process catch SIGTERM by now?
bool is_ready_for_signals(pid_t pid) {
  std::ifstream in(cat("/proc/", pid, "/status"));
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("SigCgt:")) return (std::stoull(line.substr(7), nullptr, 16) >> (SIGTERM - 1)) & 1;
  return false;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_shard_that_lives_in_another_container_is_not_taken_from_it,
                     *precondition(with_containers)) {
  must_work(tiny().plan("shared", "2"));
  process running(words{program()} + tiny().shard("shared", "1/2"));
  while (!has_bytes(first_of("shared") / "log/lock", 10) &&
         !running.ends_within(std::chrono::milliseconds(1))) {
  }
  if (running.suspend()) {
    const outcome o = run(in_a_container + words{program()} + tiny().shard("shared", "1/2"));
    BOOST_TEST(o.code == static_cast<int>(status::config), o.err);
    check_says(o.err, "renewed the lock");
    const outcome seen = run(in_a_container + words{program(), "status", tiny().path("shared").string()});
    check_says(seen.out, "running    1 shard: 1");
    running.send(SIGCONT);
  }
  BOOST_TEST(running.wait().code == 0);
}

BOOST_AUTO_TEST_CASE(a_lock_of_a_time_far_ahead_is_not_that_of_a_running_shard) {
  must_work(tiny().plan("ahead", "2"));
  fs::create_directories(first_of("ahead") / "log");
  std::ofstream(first_of("ahead") / "log/lock") << "another.machine 17 12345\n";
  const timespec times[2] = {{0, UTIME_OMIT}, {::time(nullptr) + 86'400, 0}};
  BOOST_REQUIRE(::utimensat(AT_FDCWD, (first_of("ahead") / "log/lock").c_str(), times, 0) == 0);
  check_says(status_of("ahead"), "dead       1 shard: 1");
}

BOOST_AUTO_TEST_CASE(status_waits_for_no_pipe) {
  must_work(tiny().plan("piped", "2"));
  fs::create_directories(first_of("piped") / "log");
  for (const char* file : {"failure", "log/progress", "log/lock"})
    BOOST_REQUIRE(::mkfifo((first_of("piped") / file).c_str(), 0600) == 0);
  check_says(status_of("piped"), "not begun  1 shard: 2");
}

BOOST_AUTO_TEST_CASE(a_task_that_fails_makes_no_folder_that_is_not_of_its_run) {
  surroundings little;
  little.environment["DEPTHLENS_MEMORY"] = "1M";
  must_work(tiny().plan("noted", "2"));
  BOOST_TEST(depthlens_says(tiny().shard("noted", "1/2"), little).code == 69);
  BOOST_TEST(fs::exists(first_of("noted") / "failure"));
  must_work(tiny().shard("noted", "1/2"));
  BOOST_TEST(!fs::exists(first_of("noted") / "failure"));

  process running(words{program()} + tiny().shard("noted", "2/2"));
  const fs::path second = tiny().path("noted") / "shards/0002-of-0002";
  while (!has_bytes(second / "log/lock", 10) && !running.ends_within(std::chrono::milliseconds(1))) {
  }
  if (running.suspend()) {
    fs::rename(second, tiny().path("moved away"));
    running.send(SIGCONT);
    BOOST_TEST(running.wait().code != 0);
    BOOST_TEST(!fs::exists(second));
  }
}

BOOST_AUTO_TEST_CASE(a_signal_ends_every_step_with_75_from_its_beginning) {
  must_work(tiny().plan("early", "2"));
  for (const char* which : {"1/2", "2/2"}) must_work(tiny().shard("early", which));
  const words merge = {"merge", tiny().path("early").string()};
  must_work(merge);
  int n = 0;
  for (const words& command : {tiny().run("whole"), tiny().shard("parts", "1/2"), tiny().plan("planned", "2"),
                               words{"verify", tiny().path("early").string()}, merge})
    for (const int number : {SIGTERM, SIGINT, SIGUSR1, SIGXCPU}) {
      process one(words{program()} + command);
      while (!is_ready_for_signals(one.pid()) && !one.ends_within(std::chrono::milliseconds(0))) {
      }
      one.send(number);
      const outcome o = one.wait();
      BOOST_TEST((o.code == static_cast<int>(status::stopped) || o.code == 0), command[0] << ": " << o.code);
      n += o.code == static_cast<int>(status::stopped);
    }
  BOOST_TEST(n > 0);
  must_work(tiny().run("whole"));
  must_work(merge);
}

BOOST_AUTO_TEST_CASE(two_dashes_at_the_end_change_nothing) {
  must_work(tiny().plan("dashes", "2") + words{"--"});
  for (const char* which : {"1/2", "2/2"}) must_work(tiny().shard("dashes", which) + words{"--"});
  must_work({"merge", tiny().path("dashes").string(), "--"});
  BOOST_TEST(read_bytes(tiny().path("dashes") / "shards.json").find("\"--\"") == std::string::npos);
  BOOST_TEST(read_bytes(tiny().path("dashes") / "run.json").find("\"--\"") == std::string::npos);
  check_says(must_work({"verify", tiny().path("dashes").string()}).out, "no difference");
}

BOOST_AUTO_TEST_CASE(a_folder_for_temporary_files_that_is_none_is_named) {
  must_work(tiny().run("checked"));
  surroundings s;
  s.environment["TMPDIR"] = "/nonexistent";
  const outcome o = depthlens_says({"verify", tiny().path("checked").string()}, s);
  BOOST_TEST(o.code == static_cast<int>(status::cannot_create), o.err);
  check_says(o.err, "TMPDIR=/nonexistent");
}

BOOST_AUTO_TEST_CASE(gnu_parallel_is_given_no_path_that_it_would_change) {
  const scratch_folder folder;
  fs::create_directory(folder.path() / "with {} in it");
  const std::string text = must_work(tiny().plan("listed", "2") + words{"--write", "parallel"}).out;
  const outcome o = run({"bash", folder.write("with {} in it/job.sh", text)});
  BOOST_TEST(o.code == static_cast<int>(status::usage), o.err);
  check_says(o.err, "with {} in it/job.sh: GNU parallel");
}

BOOST_AUTO_TEST_SUITE_END()
