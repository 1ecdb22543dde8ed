// SPDX-License-Identifier: Apache-2.0
// The lock of a folder between machines: renewed by its holder, taken over when it is not, and given up by a
// holder that was thought gone.
#include "results/folder_lock.hpp"

#include "results/lock_holder.hpp"
#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>

BOOST_AUTO_TEST_SUITE(folder_locks)

namespace {

using namespace depthlens;
namespace fs = std::filesystem;
using std::chrono::milliseconds;
using test::check_fails;
using test::read_bytes;
using test::scratch_folder;

constexpr lock_timing quick{milliseconds(20), milliseconds(600'000), milliseconds(1)};

struct lock_folder : scratch_folder {
  lock_folder() { fs::create_directories(path() / "run/log"); }
  fs::path lock() const { return path() / "run/log/lock"; }
  void put(const std::string& text) const { write("run/log/lock", text); }
  // From any thread, which what Boost.Test checks is not.
  bool renew(std::chrono::seconds age) const noexcept {
    timespec times[2] = {{0, UTIME_OMIT}, {::time(nullptr) - age.count(), 0}};
    return ::utimensat(AT_FDCWD, lock().c_str(), times, 0) == 0;
  }
  void set_age(std::chrono::seconds age) const { BOOST_REQUIRE(renew(age)); }
};

const std::string other = "another.machine 17 12345";

// Variables of a Slurm job, as they were before at the end.
class in_job {
 public:
  in_job(const char* id, const char* restarts)
      : id_("SLURM_JOB_ID", id), restarts_("SLURM_RESTART_COUNT", restarts) {}

 private:
  struct variable {
    variable(const char* n, const char* value) : name(n) {
      if (const char* old = std::getenv(n)) before = old;
      value == nullptr ? ::unsetenv(n) : ::setenv(n, value, 1);
    }
    ~variable() { before ? ::setenv(name, before->c_str(), 1) : ::unsetenv(name); }
    const char* name;
    std::optional<std::string> before;
  };
  variable id_, restarts_;
};

bool is_mine(const lock_folder& folder) {
  return read_bytes(folder.lock()).find(cat(' ', ::getpid(), ' ')) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_lock_of_another_machine_holds_as_long_as_it_is_renewed) {
  const in_job none(nullptr, nullptr);
  const lock_folder folder;
  folder.put(other + "\n");
  folder.set_age(std::chrono::seconds(590));
  check_fails([&] { const folder_lock lock(folder.lock(), quick); }, status::config,
              "process 17 on another.machine", "renewed the lock 59", "taken over in ",
              "delete " + folder.lock().string());
  BOOST_TEST(read_bytes(folder.lock()) == other + "\n");
  folder.set_age(std::chrono::seconds(610));
  const folder_lock lock(folder.lock(), quick);
  BOOST_TEST(is_mine(folder));
}

BOOST_AUTO_TEST_CASE(a_task_waits_for_the_lease_of_a_silent_holder_where_it_is_told_to) {
  const in_job none(nullptr, nullptr);
  const lock_folder folder;
  folder.put(other + "\n");
  lock_timing patient = quick;
  patient.awaited_silence = std::chrono::seconds(60);
  folder.set_age(std::chrono::seconds(30));  // it may only be slow
  check_fails([&] { const folder_lock lock(folder.lock(), patient); }, status::config, "renewed the lock 3");
  folder.set_age(std::chrono::seconds(90));
  patient.lease = std::chrono::seconds(91);
  {
    const folder_lock lock(folder.lock(), patient);
    BOOST_TEST(is_mine(folder));
  }
  // One that shows itself meanwhile keeps it.
  folder.put(other + "\n");
  folder.set_age(std::chrono::seconds(90));
  patient.lease = std::chrono::minutes(10);
  bool renewed = false;
  std::thread renewal([&] {
    std::this_thread::sleep_for(milliseconds(100));
    renewed = folder.renew(std::chrono::seconds(1));
  });
  check_fails([&] { const folder_lock lock(folder.lock(), patient); }, status::config, "process 17");
  renewal.join();
  BOOST_TEST(renewed);
}

BOOST_AUTO_TEST_CASE(a_lock_of_a_time_to_come_is_watched_and_taken_over_where_nobody_renews_it) {
  const in_job none(nullptr, nullptr);
  const lock_folder folder;
  folder.put(other + "\n");
  folder.set_age(std::chrono::hours(-24));
  const folder_lock lock(folder.lock(), quick);
  BOOST_TEST(is_mine(folder));
}

BOOST_AUTO_TEST_CASE(a_process_of_another_pid_namespace_is_not_looked_up_by_its_number) {
  const in_job none(nullptr, nullptr);
  const lock_folder folder;
  const lock_holder own = holder_of(lock_text());
  BOOST_REQUIRE(!own.pids.empty());
  const auto text = [&](const std::string& pids) {
    return cat(own.host, " 999999999 1", own.boot.empty() ? "" : cat(" boot=", own.boot), pids, '\n');
  };
  folder.put(text(" pids=1"));
  check_fails([&] { const folder_lock lock(folder.lock(), quick); }, status::config, "process 999999999 on ",
              "in another container", "renewed the lock");
  BOOST_TEST(read_bytes(folder.lock()) == text(" pids=1"));
  folder.set_age(std::chrono::seconds(610));
  {
    const folder_lock lock(folder.lock(), quick);
    BOOST_TEST(is_mine(folder));
  }
  // In this one, and in a lock that does not tell, the number says that its process is gone.
  for (const std::string& pids : {cat(" pids=", own.pids), std::string()}) {
    folder.put(text(pids));
    const folder_lock lock(folder.lock(), quick);
    BOOST_TEST(is_mine(folder));
  }
}

BOOST_AUTO_TEST_CASE(a_lock_whose_time_is_ahead_by_less_than_the_lease_counts_as_just_renewed) {
  const in_job none(nullptr, nullptr);
  const lock_folder folder;
  folder.put(other + "\n");
  folder.set_age(std::chrono::seconds(-300));
  check_fails([&] { const folder_lock lock(folder.lock(), quick); }, status::config,
              "process 17 on another.machine", "renewed the lock 0 s ago");
}

BOOST_AUTO_TEST_CASE(a_pipe_in_place_of_a_lock_is_not_waited_for) {
  const lock_folder folder;
  BOOST_REQUIRE(::mkfifo(folder.lock().c_str(), 0600) == 0);
  BOOST_TEST(!read_lock(folder.lock()));
  BOOST_TEST(!time_of(folder.lock()));
  const folder_lock lock(folder.lock(), quick);
  BOOST_TEST(is_mine(folder));
}

BOOST_AUTO_TEST_CASE(a_holder_renews_its_lock) {
  const lock_folder folder;
  const folder_lock lock(folder.lock(), quick);
  for (int i = 0; i < 3; ++i) {
    folder.set_age(std::chrono::seconds(10'000));
    while (*age_of(folder.lock()) > std::chrono::seconds(5'000)) std::this_thread::sleep_for(milliseconds(1));
  }
  BOOST_TEST(lock.held());
  for (const auto& item : fs::directory_iterator(folder.path() / "run/log"))
    BOOST_TEST(item.path().filename() == "lock");  // no clock is left behind
}

BOOST_AUTO_TEST_CASE(a_restarted_job_takes_the_lock_of_its_former_self_at_once) {
  const in_job job("7001", "2");
  const lock_folder folder;
  folder.put(other + " slurm=7001.1\n");
  {
    const folder_lock lock(folder.lock(), {milliseconds(3'600'000), milliseconds(600'000), milliseconds(1)});
    BOOST_TEST(read_bytes(folder.lock()).ends_with(" slurm=7001.2\n"));
  }
  folder.put(other + " slurm=7002.1\n");  // another task of an array has a number of its own
  check_fails([&] { const folder_lock lock(folder.lock(), quick); }, status::config, "another.machine");
}

BOOST_AUTO_TEST_CASE(of_one_job_on_two_machines_a_process_that_renews_its_lock_keeps_it) {
  const in_job job("7001", nullptr);
  const lock_folder folder;
  folder.put(other + " slurm=7001.0\n");
  std::atomic<bool> end{false};
  std::thread holder([&] {
    while (!end) ::utimensat(AT_FDCWD, folder.lock().c_str(), nullptr, 0);
  });
  check_fails([&] { const folder_lock lock(folder.lock(), quick); }, status::config, "another.machine");
  end = true;
  holder.join();
  const folder_lock lock(folder.lock(), quick);  // nobody renews it any more
  BOOST_TEST(is_mine(folder));
}

BOOST_AUTO_TEST_CASE(a_holder_whose_lock_was_taken_over_is_told_and_leaves_it_alone) {
  const lock_folder folder;
  {
    folder_lock lock(folder.lock(), quick);
    BOOST_CHECK_NO_THROW(lock.check_now());
    folder.put(other + "\n");
    check_fails([&] { lock.check_now(); }, status::config, (folder.path() / "run").string(), "no longer",
                "process 17 on another.machine", "nothing more is written");
    check_fails([&] { lock.check(); }, status::config, "another.machine");
    BOOST_TEST(!lock.held());
  }
  BOOST_TEST(read_bytes(folder.lock()) == other + "\n");
}

BOOST_AUTO_TEST_CASE(a_holder_sees_by_itself_that_its_lock_is_gone) {
  const lock_folder folder;
  folder_lock lock(folder.lock(), quick);
  fs::remove(folder.lock());
  while (lock.held()) std::this_thread::sleep_for(milliseconds(1));
  check_fails([&] { lock.check(); }, status::config, "was removed");
  BOOST_TEST(!fs::exists(folder.lock()));
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_name_are_shown_escaped) {
  const in_job none(nullptr, nullptr);
  const lock_folder folder;
  folder.put("\x1b[31mhost\xff" + std::string(1, '\0') + " 1 2\n");
  check_fails([&] { const folder_lock lock(folder.lock(), quick); }, status::config,
              "\\x1b[31mhost\\xff\\x00");
  folder.put(std::string(1 << 20, 'h'));
  try {
    const folder_lock lock(folder.lock(), quick);
    BOOST_ERROR("it was taken");
  } catch (const error& e) {
    BOOST_TEST(std::string(e.what()).size() < 1000U);
  }
}

BOOST_AUTO_TEST_SUITE_END()
