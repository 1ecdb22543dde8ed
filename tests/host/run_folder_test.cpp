// SPDX-License-Identifier: Apache-2.0
// The output folder: one process at a time, whatever a former one left, and moved aside when asked for.
#include "results/run_folder.hpp"

#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(run_folders)

namespace {

using namespace depthlens;
namespace fs = std::filesystem;
using test::check_fails;
using test::read_bytes;
using test::scratch_folder;

std::string host_name() {
  char name[256] = {};
  BOOST_REQUIRE(::gethostname(name, sizeof name - 1) == 0);
  return name;
}

// A process number that no process has: that of a child that has ended and was waited for.
pid_t dead_process() {
  const pid_t child = ::fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) ::_exit(0);
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  return child;
}

fs::path write_lock(const scratch_folder& folder, const std::string& content) {
  fs::create_directories(folder.path() / "run/log");
  return folder.write("run/log/lock", content);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_folder_and_its_parts_are_made_and_the_lock_goes_with_its_holder) {
  const scratch_folder folder;
  const fs::path root = folder.path() / "deep/er/run";
  {
    const run_folder run(root);
    for (const char* part : {"data", "plots", "log"}) BOOST_TEST(fs::is_directory(root / part));
    BOOST_TEST(fs::exists(root / "log/lock"));
    BOOST_TEST(run.log("facts", "logit") == run.root() / "log/facts.logit.log");
    BOOST_TEST(run.manifest() == run.root() / "run.json");
  }
  BOOST_TEST(!fs::exists(root / "log/lock"));
  const run_folder again(root);
  BOOST_TEST(again.root() == fs::canonical(root));
}

BOOST_AUTO_TEST_CASE(a_second_opener_is_refused_with_the_holder_named) {
  const scratch_folder folder;
  const run_folder first(folder.path() / "run");
  const std::string lock = read_bytes(folder.path() / "run/log/lock");
  check_fails([&] { const run_folder second(folder.path() / "run"); }, status::config,
              cat("process ", ::getpid()), host_name(), "lock");
  BOOST_TEST(read_bytes(folder.path() / "run/log/lock") == lock);
}

BOOST_AUTO_TEST_CASE(the_lock_of_a_living_child_holds_until_it_is_killed) {
  const scratch_folder folder;
  int ready[2];
  BOOST_REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    const run_folder held(folder.path() / "run");
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  char x = 0;
  BOOST_REQUIRE(::read(ready[0], &x, 1) == 1);
  check_fails([&] { const run_folder second(folder.path() / "run"); }, status::config,
              cat("process ", child));
  ::kill(child, SIGKILL);
  siginfo_t ended{};  // and stays a zombie, as below a parent that never asks for it
  BOOST_REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT) == 0);
  BOOST_TEST(fs::exists(folder.path() / "run/log/lock"));
  const run_folder second(folder.path() / "run");
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_TEST(read_bytes(folder.path() / "run/log/lock").find(cat(' ', ::getpid(), ' ')) != std::string::npos);
  ::close(ready[0]);
  ::close(ready[1]);
}

BOOST_AUTO_TEST_CASE(a_stale_lock_of_a_dead_process_is_taken_over) {
  const scratch_folder folder;
  write_lock(folder, cat(host_name(), ' ', dead_process(), " 12345\n"));
  const run_folder run(folder.path() / "run");
  BOOST_TEST(read_bytes(run.root() / "log/lock").find(cat(' ', ::getpid(), ' ')) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_process_that_only_has_the_number_of_the_holder_does_not_hold_the_lock) {
  const scratch_folder folder;
  write_lock(folder, cat(host_name(), ' ', ::getpid(), " 1\n"));
  BOOST_CHECK_NO_THROW(run_folder(folder.path() / "run"));
}

BOOST_AUTO_TEST_CASE(a_lock_that_was_never_written_to_the_end_is_taken_over) {
  const scratch_folder folder;
  write_lock(folder, "");
  BOOST_CHECK_NO_THROW(run_folder(folder.path() / "run"));
}

BOOST_AUTO_TEST_CASE(a_process_suspended_while_it_takes_the_lock_is_not_waited_for_and_loses_nothing) {
  const scratch_folder folder;
  const fs::path lock = write_lock(folder, "");
  const int turn = ::open(lock.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  BOOST_REQUIRE(::flock(turn, LOCK_EX) == 0);
  const auto open = [&] { const run_folder run(folder.path() / "run"); };
  check_fails(open, status::config, (folder.path() / "run").string(), "come to a stop", lock.string());
  BOOST_TEST(fs::exists(lock));
  const std::string holder = cat(host_name(), ' ', ::getpid(), " 1\n");
  write_lock(folder, holder);
  check_fails(open, status::config, cat("process ", ::getpid()), host_name());
  BOOST_TEST(read_bytes(lock) == holder);
  ::close(turn);
  BOOST_CHECK_NO_THROW(open());
}

BOOST_AUTO_TEST_CASE(the_lock_of_another_machine_is_respected) {
  const scratch_folder folder;
  const fs::path lock = write_lock(folder, cat("another-", host_name(), ' ', dead_process(), " 12345\n"));
  check_fails([&] { const run_folder run(folder.path() / "run"); }, status::config, "another-" + host_name(),
              lock.string(), "delete");
  BOOST_TEST(fs::exists(lock));
}

BOOST_AUTO_TEST_CASE(of_many_processes_that_find_a_stale_lock_exactly_one_takes_it) {
  const scratch_folder folder;
  for (int round = 0; round < 20; ++round) {
    write_lock(folder, cat(host_name(), ' ', dead_process(), " 12345\n"));
    int start[2], answer[2];
    BOOST_REQUIRE(::pipe(start) == 0);
    BOOST_REQUIRE(::pipe(answer) == 0);
    constexpr int n = 4;
    std::vector<pid_t> children;
    for (int i = 0; i < n; ++i) {
      const pid_t child = ::fork();
      BOOST_REQUIRE(child >= 0);
      if (child != 0) {
        children.push_back(child);
        continue;
      }
      ::close(start[1]);
      char x = 0;
      if (::read(start[0], &x, 1) != 0) ::_exit(1);  // the end of the pipe is the start
      try {
        const run_folder run(folder.path() / "run");
        if (::write(answer[1], "h", 1) != 1) ::_exit(1);
        ::pause();
      } catch (const error&) {
        if (::write(answer[1], "r", 1) != 1) ::_exit(1);
      }
      ::_exit(0);
    }
    ::close(start[0]);
    ::close(start[1]);
    std::string answers(n, ' ');
    for (char& a : answers) BOOST_REQUIRE(::read(answer[0], &a, 1) == 1);
    for (const pid_t child : children) {
      ::kill(child, SIGKILL);
      int status = 0;
      ::waitpid(child, &status, 0);
    }
    ::close(answer[0]);
    ::close(answer[1]);
    BOOST_REQUIRE_EQUAL(std::count(answers.begin(), answers.end(), 'h'), 1);
  }
}

BOOST_AUTO_TEST_CASE(a_folder_that_cannot_be_made_is_said_with_its_path) {
  const scratch_folder folder;
  const fs::path plain = folder.write("plain", "a file");
  check_fails([&] { const run_folder run(plain); }, status::cannot_create, plain.string());
  check_fails([&] { const run_folder run(plain / "run"); }, status::cannot_create, (plain / "run").string());
  BOOST_TEST(read_bytes(plain) == "a file");
}

BOOST_AUTO_TEST_CASE(a_run_is_moved_aside_under_the_first_free_number) {
  const scratch_folder folder;
  const fs::path root = folder.path() / "run";
  BOOST_TEST(move_aside(root).empty());
  for (const char* expected : {"run.old-1", "run.old-2", "run.old-3"}) {
    fs::create_directory(root);
    folder.write("run/run.json", R"({"depthlens": "0"})");
    folder.write("run/mark", expected);
    BOOST_TEST(move_aside(root) == fs::canonical(folder.path()) / expected);
    BOOST_TEST(!fs::exists(root));
    BOOST_TEST(read_bytes(folder.path() / expected / "mark") == expected);
  }
  fs::remove_all(folder.path() / "run.old-2");
  fs::create_directory(root);
  BOOST_TEST(move_aside(root.string() + "/") == fs::canonical(folder.path()) / "run.old-2");
}

BOOST_AUTO_TEST_CASE(a_run_that_goes_on_is_not_moved_aside) {
  const scratch_folder folder;
  const fs::path root = folder.path() / "run";
  {
    const run_folder running(root);
    check_fails([&] { move_aside(root); }, status::config, cat("process ", ::getpid()));
    BOOST_TEST(fs::exists(root / "log/lock"));
  }
  BOOST_TEST(move_aside(root) == fs::canonical(folder.path()) / "run.old-1");
  BOOST_TEST(!fs::exists(folder.path() / "run.old-1/log/lock"));
}

BOOST_AUTO_TEST_CASE(the_lock_of_another_process_in_a_folder_of_the_same_name_stays) {
  const scratch_folder folder;
  const std::string other = cat("another-", host_name(), " 1 12345\n");
  {
    const run_folder moved(folder.path() / "run");
    fs::rename(folder.path() / "run", folder.path() / "elsewhere");
    write_lock(folder, other);
  }
  BOOST_TEST(read_bytes(folder.path() / "run/log/lock") == other);
}

BOOST_AUTO_TEST_SUITE_END()
