// SPDX-License-Identifier: Apache-2.0
// Runs that are killed or stopped and started again by the same command end with the tables of an undisturbed
// run.
#include "program/suspended_run.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <string>

BOOST_AUTO_TEST_SUITE(interrupted_runs)

namespace {

using namespace depthlens;
using namespace depthlens::test;
using std::chrono::milliseconds;

constexpr std::size_t kRows = 6;

const small_data& data() {
  static const small_data files(kRows);
  return files;
}

// Small windows, so that there is something to be saved at every moment.
words command(const std::filesystem::path& out) {
  return data().all() + words{"--out", out, "--window", "3", "--format", "svg"};
}

struct undisturbed {
  std::map<std::string, std::string> tables;
  milliseconds time;
};

const undisturbed& reference() {
  static const undisturbed once = [] {
    const scratch_folder folder;
    const auto start = std::chrono::steady_clock::now();
    must_work(command(folder.path() / "run"));
    const auto time = std::chrono::steady_clock::now() - start;
    return undisturbed{tables_of(folder.path() / "run"), std::chrono::duration_cast<milliseconds>(time)};
  }();
  return once;
}

// Kills runs with these options besides so often, at moments drawn by chance, and lets them go on.
void kill_at_random_moments(const words& more, int times) {
  std::mt19937 random(2025);
  auto folder = std::make_unique<scratch_folder>();
  int kills = 0, completed = 0;
  while (kills < times) {
    process p(words{program()} + command(folder->path() / "run") + more);
    // In a folder with half of the work done, the same time reaches further: to the tables and the figures.
    const auto most = static_cast<unsigned>(reference().time.count() * 6 / 10);
    if (!p.ends_within(milliseconds(random() % most))) p.send(SIGKILL);
    const int code = p.wait().code;  // 0 also where it ended by itself just before the signal
    if (code == 128 + SIGKILL) {
      ++kills;
      continue;
    }
    BOOST_REQUIRE_EQUAL(code, 0);
    check_same_tables(tables_of(folder->path() / "run"), reference().tables);
    folder = std::make_unique<scratch_folder>();
    ++completed;
  }
  must_work(command(folder->path() / "run"));
  check_same_tables(tables_of(folder->path() / "run"), reference().tables);
  BOOST_TEST_MESSAGE(kills << " kills, " << completed + 1 << " runs completed");
}

}  // namespace

BOOST_AUTO_TEST_CASE(kills_at_random_moments_change_nothing) { kill_at_random_moments({}, wanted_kills(8)); }

BOOST_AUTO_TEST_CASE(kills_while_weights_are_streamed_change_nothing_and_the_rest_may_hold_them) {
  kill_at_random_moments({"--memory", "250M"}, wanted_kills(4));
}

BOOST_AUTO_TEST_CASE(a_killed_run_keeps_the_records_that_were_finished) {
  suspended_run killed(command, [](const auto& run) { return has_bytes(run / "log/facts.logit.log", 100); });
  BOOST_TEST(killed.go_on_after(SIGKILL).code == 128 + SIGKILL);
  check_no_tables(killed.folder());
  const outcome rest = must_work(command(killed.folder()));
  BOOST_TEST(rest.err.find(cat(" ", 5 * kRows, " records in")) == std::string::npos,
             "all were run again: " << rest.err);
  check_same_tables(tables_of(killed.folder()), reference().tables);
}

BOOST_AUTO_TEST_CASE(a_signal_ends_a_run_soon_with_code_75_and_the_same_command_goes_on) {
  for (const int number : {SIGTERM, SIGINT, SIGUSR1}) {
    BOOST_TEST_CONTEXT("signal " << number) {
      suspended_run run(command, [](const auto& to) { return has_bytes(to / "log/pos.logit.log", 100); });
      const outcome stopped = run.go_on_after(number);
      BOOST_TEST(stopped.code == 75);
      BOOST_TEST(stopped.err.find("The same command goes on") != std::string::npos, stopped.err);
      const boost::json::object manifest = manifest_of(run.folder());
      BOOST_TEST((manifest.at("status") == "stopped"));
      BOOST_TEST((manifest.at("records").at("wanted") == 5 * kRows));
      BOOST_TEST(manifest.at("records").at("finished").to_number<std::uint64_t>() <= 5 * kRows);
      check_no_tables(run.folder());
      BOOST_TEST(!std::filesystem::exists(run.folder() / "log/lock"));
      must_work(command(run.folder()));
      check_same_tables(tables_of(run.folder()), reference().tables);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_run_whose_folder_another_process_has_taken_over_stops_and_leaves_it_alone) {
  suspended_run run(command, [](const auto& to) { return has_bytes(to / "log/pos.logit.log", 100); });
  const std::string other = "another.machine 17 12345\n";
  std::ofstream(run.folder() / "log/lock") << other;
  const outcome lost = run.go_on_after(SIGCONT);
  BOOST_TEST(lost.code == 78);
  BOOST_TEST(lost.err.find("is now of process 17 on another.machine") != std::string::npos, lost.err);
  check_no_tables(run.folder());
  BOOST_TEST(read_bytes(run.folder() / "log/lock") == other);
  std::filesystem::remove(run.folder() / "log/lock");
  must_work(command(run.folder()));
  check_same_tables(tables_of(run.folder()), reference().tables);
}

BOOST_AUTO_TEST_CASE(a_limit_holds_whatever_a_run_that_did_not_finish_was_to_do) {
  suspended_run killed(command, [](const auto& to) { return std::filesystem::exists(to / "run.json"); });
  killed.go_on_after(SIGKILL);
  const std::filesystem::path run = killed.folder();
  check_no_tables(run);
  must_work(command(run) + words{"--limit", "2"});
  const auto limit_of_facts = [&] {
    return manifest_of(run).at("data").at("facts").at("").at("limit").to_number<std::uint64_t>();
  };
  BOOST_TEST(limit_of_facts() == 2U);
  must_work(command(run) + words{"--limit", "4"});
  must_work(command(run) + words{"--limit", "3"});
  BOOST_TEST(limit_of_facts() == 4U);
}

BOOST_AUTO_TEST_SUITE_END()
