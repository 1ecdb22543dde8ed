// SPDX-License-Identifier: Apache-2.0
// Runs that are killed or stopped and started again by the same command end with the tables of an undisturbed
// run.
#include "program/demo.hpp"

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

}  // namespace

BOOST_AUTO_TEST_CASE(kills_at_twenty_random_moments_change_nothing) {
  std::mt19937 random(2025);
  auto folder = std::make_unique<scratch_folder>();
  int kills = 0, completed = 0;
  while (kills < 20) {
    process p(words{program()} + command(folder->path() / "run"));
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

BOOST_AUTO_TEST_CASE(a_killed_run_keeps_the_records_that_were_finished) {
  const scratch_folder folder;
  process p(words{program()} + command(folder.path() / "run"));
  const auto log = folder.path() / "run/log/facts.logit.log";
  for (int i = 0; i < 5000 && !(std::filesystem::exists(log) && std::filesystem::file_size(log) > 100); ++i)
    BOOST_REQUIRE(!p.ends_within(milliseconds(5)));
  p.send(SIGKILL);
  p.wait();
  check_no_tables(folder.path() / "run");
  const outcome rest = must_work(command(folder.path() / "run"));
  BOOST_TEST(rest.err.find(cat(" ", 5 * kRows, " records in")) == std::string::npos,
             "all were run again: " << rest.err);
  check_same_tables(tables_of(folder.path() / "run"), reference().tables);
}

BOOST_AUTO_TEST_CASE(a_signal_ends_a_run_soon_with_code_75_and_the_same_command_goes_on) {
  for (const int number : {SIGTERM, SIGINT, SIGUSR1}) {
    BOOST_TEST_CONTEXT("signal " << number) {
      const scratch_folder folder;
      process p(words{program()} + command(folder.path() / "run"));
      const auto log = folder.path() / "run/log/pos.logit.log";
      for (int i = 0; i < 5000 && !(std::filesystem::exists(log) && std::filesystem::file_size(log) > 100);
           ++i)
        BOOST_REQUIRE(!p.ends_within(milliseconds(5)));
      p.send(number);
      BOOST_TEST(p.ends_within(std::chrono::seconds(10)));
      const outcome stopped = p.wait();
      BOOST_TEST(stopped.code == 75);
      BOOST_TEST(stopped.err.find("The same command goes on") != std::string::npos, stopped.err);
      check_no_tables(folder.path() / "run");
      BOOST_TEST(!std::filesystem::exists(folder.path() / "run/log/lock"));
      must_work(command(folder.path() / "run"));
      check_same_tables(tables_of(folder.path() / "run"), reference().tables);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_limit_holds_whatever_a_run_that_did_not_finish_was_to_do) {
  std::unique_ptr<scratch_folder> folder;
  std::filesystem::path run;
  for (int code = 0; code == 0;) {  // until one was killed before its end
    folder = std::make_unique<scratch_folder>();
    run = folder->path() / "run";
    process p(words{program()} + command(run));
    for (int i = 0; i < 5000 && !std::filesystem::exists(run / "run.json"); ++i)
      if (p.ends_within(milliseconds(1))) break;
    p.send(SIGKILL);
    code = p.wait().code;
  }
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
