// SPDX-License-Identifier: Apache-2.0
// Plans of shards: who has which record, whatever records come or go; and what a shard's folder tells of it.
#include "shards/asked_shard.hpp"
#include "shards/merged_logs.hpp"
#include "shards/shard_cut.hpp"
#include "shards/shard_plan.hpp"
#include "shards/shard_state.hpp"

#include "results/run_progress.hpp"
#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(shards)

namespace {

using namespace depthlens;
using test::check_fails;
using test::scratch_folder;

std::vector<weighed_record> random_records(std::size_t n, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<weighed_record> out;
  for (std::size_t i = 0; i < n; ++i) out.push_back({random(), 1 + random() % 300});
  return out;
}

shard_plan planned(const std::vector<weighed_record>& records, std::size_t n) {
  shard_plan out;
  cut_evenly(records, n, out);
  out.key["backend"] = "cpu";
  out.command = {.arguments = {"pos", "--out", "a b"}, .folder = "/"};
  return out;
}

// Sets a variable of the environment, and puts back what it was.
class with_variable {
 public:
  with_variable(const char* name, const char* value) : name_(name) {
    if (const char* there = std::getenv(name)) before_ = there;
    ::setenv(name, value, 1);
  }
  ~with_variable() { before_.empty() ? ::unsetenv(name_) : ::setenv(name_, before_.c_str(), 1); }
  with_variable(const with_variable&) = delete;

 private:
  const char* name_;
  std::string before_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(every_record_is_in_one_shard_and_shards_have_about_as_many_tokens) {
  const auto records = random_records(5000, 1);
  std::uint64_t all = 0;
  for (const auto& r : records) all += r.tokens;
  for (const std::size_t n : {1, 2, 3, 7, 64, 1000}) {
    const shard_plan plan = planned(records, n);
    BOOST_TEST(plan.shards() == n);
    BOOST_TEST(plan.bounds.size() == n - 1);
    std::uint64_t counted = 0, tokens = 0;
    for (const shard_share& s : plan.shares) {
      counted += s.records;
      tokens += s.tokens;
      // A record at each end may be on either side of it.
      BOOST_TEST(std::abs(static_cast<double>(s.tokens) -
                          static_cast<double>(all) / static_cast<double>(n)) <= 300.0);
    }
    BOOST_TEST(counted == records.size());
    BOOST_TEST(tokens == all);
  }
}

BOOST_AUTO_TEST_CASE(records_stay_in_their_shards_when_others_are_added) {
  auto records = random_records(500, 2);
  const shard_plan before = planned(records, 8);
  const auto more = random_records(700, 3);
  shard_plan after = before;
  std::vector<weighed_record> both = records;
  both.insert(both.end(), more.begin(), more.end());
  count_shares(both, after);
  for (const auto& r : records) BOOST_TEST(after.shard_of(r.hash) == before.shard_of(r.hash));
  for (std::size_t i = 0; i < 8; ++i) BOOST_TEST(after.shares[i].records >= before.shares[i].records);
}

BOOST_AUTO_TEST_CASE(records_of_one_content_lie_in_one_shard_and_the_others_may_be_empty) {
  const std::vector<weighed_record> same(10, {77, 5});
  const shard_plan plan = planned(same, 4);
  BOOST_TEST(plan.shares[plan.shard_of(77) - 1].records == 10U);
  BOOST_TEST(planned({}, 4).shares.size() == 4U);
}

BOOST_AUTO_TEST_CASE(a_plan_reads_back_as_it_was_written_and_the_first_writer_is_right) {
  const scratch_folder folder;
  BOOST_TEST(!shard_plan::read(folder.path()));
  shard_plan plan = planned(random_records(100, 4), 5);
  plan.command.arguments.emplace_back("\xff odd");
  BOOST_TEST(plan.write_first(folder.path()));
  shard_plan other = planned(random_records(100, 5), 6);
  BOOST_TEST(!other.write_first(folder.path()));
  const auto there = shard_plan::read(folder.path());
  BOOST_REQUIRE(there.has_value());
  BOOST_TEST(there->bounds == plan.bounds);
  BOOST_TEST(there->command.arguments == plan.command.arguments);
  BOOST_TEST(there->limit == plan.limit);
  BOOST_TEST(there->shares[2].tokens == plan.shares[2].tokens);
  BOOST_TEST(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

BOOST_AUTO_TEST_CASE(a_pipe_in_place_of_a_shards_log_is_refused_and_not_waited_for) {
  const scratch_folder folder;
  const auto pipe = folder.path() / "part.log", whole = folder.path() / "whole.log";
  BOOST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  check_fails(
      [&] {
        merge_logs(whole, {{1, pipe}}, planned({}, 1));
      },
      status::no_input, pipe.string(), "not a regular file");
}

BOOST_AUTO_TEST_CASE(a_damaged_plan_is_refused_by_name) {
  const scratch_folder folder;
  const shard_plan plan = planned(random_records(100, 4), 3);
  plan.write(folder.path());
  const std::string whole = test::read_bytes(folder.path() / "shards.json");
  const auto damage = [&](const std::string& from, const std::string& to, status code, const char* part) {
    std::string text = whole;
    text.replace(text.find(from), from.size(), to);
    folder.write("shards.json", text);
    check_fails([&] { shard_plan::read(folder.path()); }, code, part);
  };
  damage("\"bounds\"", "\"bonds\"", status::data, "bounds");
  damage("\"format\": 1", "\"format\": 2", status::config, "later version");
  damage("\"records\": [", "\"records\": [ 1,", status::data, "number of shards");
  damage("\"command\"", "\"comand\"", status::data, "command");
  folder.write("shards.json", "[1]");
  check_fails([&] { shard_plan::read(folder.path()); }, status::data, "no JSON object");
}

BOOST_AUTO_TEST_CASE(shards_are_asked_for_by_number_or_by_the_task_of_an_array) {
  BOOST_TEST(parse_shard("3/16").number == 3U);
  BOOST_TEST(parse_shard("3/16").of == 16U);
  for (const char* wrong : {"0/4", "5/4", "1/0", "a/4", "1/", "/4", "1", "-1/4", "1/4 ", "1/200000", ""})
    check_fails([&] { parse_shard(wrong); }, status::usage, "expected I/N");
  check_fails([] { parse_shard("auto"); }, status::usage, "no task of an array");
  const with_variable slurm("SLURM_ARRAY_TASK_ID", "7");
  BOOST_TEST(parse_shard("auto").number == 7U);
  BOOST_TEST(parse_shard("auto").of == 0U);
  const with_variable kubernetes("JOB_COMPLETION_INDEX", "0");
  BOOST_TEST(parse_shard("auto").number == 0U);
  const with_variable hyperqueue("HQ_TASK_ID", "x");
  check_fails([] { parse_shard("auto"); }, status::usage, "HQ_TASK_ID");
}

BOOST_AUTO_TEST_CASE(numbers_are_listed_as_arrays_of_tasks_are_written) {
  BOOST_TEST(number_list({}) == "");
  BOOST_TEST(number_list({3}) == "3");
  BOOST_TEST(number_list({1, 2, 3, 7, 9, 10}) == "1-3,7,9-10");
  BOOST_TEST(shard_folder(3, 16) == "shards/0003-of-0016");
  BOOST_TEST(shard_folder(12345, 100000) == "shards/012345-of-100000");
}

namespace {

// A folder of shards in which those of the test are made up.
class made_up_shard {
 public:
  made_up_shard() : plan_(planned(random_records(100, 6), 2)) {
    std::filesystem::create_directories(shard() / "log");
  }
  std::filesystem::path shard() const { return root_.path() / shard_folder(1, 2); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(shard() / name) << text;
  }
  void write_run(const std::string& status) const {
    write("run.json", R"({"status":")" + status +
                          R"(","failure":"a disk","records":{"finished":4,"wanted":)" +
                          std::to_string(plan_.shares[0].records) + "}}");
  }
  shard_state state() const { return look_at_shard(root_.path(), plan_, 1); }
  std::string phase() const { return std::string(phase_name(state().phase)); }
  const std::filesystem::path& root() const { return root_.path(); }
  void write_plan() const { plan_.write(root()); }

 private:
  scratch_folder root_;
  shard_plan plan_;
};

void age(const std::filesystem::path& file, std::chrono::seconds by) {
  std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now() - by);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_dead_task_is_told_from_a_slow_one) {
  const made_up_shard s;
  s.write_run("running");
  BOOST_TEST(s.phase() == "dead");  // no lock: its process is gone
  // Of another machine: it counts as long as it renews its lock, however long ago its last record is.
  s.write("log/lock", "another.machine 17 12345 slurm=99.0\n");
  s.write("log/progress",
          "00000000000000000000 00000000000000000010 00000000000000000050 00000000000000005000\n");
  age(s.shard() / "log/progress", std::chrono::hours(2));
  BOOST_TEST(s.phase() == "running");
  BOOST_TEST(s.state().finished == 10U);
  BOOST_TEST(s.state().holder.job.id == "99");
  BOOST_TEST(s.state().progressed->count() >= 7'000'000);
  age(s.shard() / "log/lock", std::chrono::minutes(3));
  BOOST_TEST(s.phase() == "dead");
  BOOST_REQUIRE(s.state().taken_over.has_value());  // ten minutes after the last renewal
  BOOST_TEST(s.state().taken_over->count() > 400'000);
  BOOST_TEST(s.state().taken_over->count() <= 420'000);
  // Of this machine: a process that is there, or not.
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  s.write("log/lock", std::string(host) + " 999999999 1\n");
  BOOST_TEST(s.phase() == "dead");
  s.write("log/lock", lock_text());
  BOOST_TEST(s.phase() == "running");
  BOOST_TEST(s.state().holder.pid == static_cast<long>(::getpid()));
}

BOOST_AUTO_TEST_CASE(a_lock_whose_clock_is_ahead_counts_until_that_is_more_than_the_lease) {
  const made_up_shard s;
  s.write_run("running");
  s.write("log/lock", "another.machine 17 12345\n");
  age(s.shard() / "log/lock", std::chrono::minutes(-5));
  BOOST_TEST(s.phase() == "running");
  BOOST_TEST(s.state().renewed->count() < -200'000);
  age(s.shard() / "log/lock", std::chrono::hours(-24));
  BOOST_TEST(s.phase() == "dead");
  BOOST_TEST(!s.state().taken_over);
}

BOOST_AUTO_TEST_CASE(a_container_of_this_machine_counts_as_long_as_it_renews_its_lock) {
  const made_up_shard s;
  s.write_run("running");
  std::string text = lock_text();
  const lock_holder own = holder_of(text);
  BOOST_REQUIRE(!own.pids.empty());
  text.replace(text.find(" pids=" + own.pids), 6 + own.pids.size(), " pids=1");
  text.replace(text.find(cat(' ', own.pid, ' ')), cat(own.pid).size() + 2, " 999999999 ");
  s.write("log/lock", text);
  BOOST_TEST(s.phase() == "running");
  age(s.shard() / "log/lock", std::chrono::minutes(3));
  BOOST_TEST(s.phase() == "dead");
  BOOST_TEST(s.state().taken_over.has_value());
}

BOOST_AUTO_TEST_CASE(pipes_in_the_folder_of_a_shard_are_not_waited_for) {
  const made_up_shard s;
  for (const char* name : {"failure", "log/progress", "log/lock"})
    BOOST_REQUIRE(::mkfifo((s.shard() / name).c_str(), 0600) == 0);
  BOOST_TEST(s.phase() == "dead");  // something is in place of its lock
  std::filesystem::remove(s.shard() / "log/lock");
  BOOST_TEST(s.phase() == "not begun");
  s.write_run("stopped");
  BOOST_TEST(s.state().finished == 4U);
  write_progress(s.shard() / "log/progress", {});
  s.write_plan();
  std::filesystem::remove(s.shard() / "run.json");
  note_failed_start(s.root(), 1, 2, "no room", 69);
  BOOST_TEST(s.phase() == "not begun");
}

BOOST_AUTO_TEST_CASE(why_a_shard_did_not_begin_is_noted_in_a_planned_run_alone_and_forgotten_once_it_has) {
  const made_up_shard s;
  std::filesystem::remove_all(s.shard());
  note_failed_start(s.root(), 1, 2, "no room", 69);
  BOOST_TEST(std::filesystem::is_empty(s.root() / "shards"));
  s.write_plan();
  note_failed_start(s.root(), 1, 3, "no room", 69);  // of another plan
  BOOST_TEST(std::filesystem::is_empty(s.root() / "shards"));
  note_failed_start(s.root(), 1, 2, "no room\nat all", 69);
  BOOST_TEST(s.phase() == "failed");
  BOOST_TEST(s.state().failure == "no room\\x0aat all");
  BOOST_TEST(s.state().exit.value_or(0) == 69);
  forget_failed_start(s.shard());
  BOOST_TEST(s.phase() == "failed");
  s.write_run("complete");
  forget_failed_start(s.shard());
  BOOST_TEST(!std::filesystem::exists(s.shard() / "failure"));
}

BOOST_AUTO_TEST_CASE(what_a_shard_ended_with_is_told) {
  const made_up_shard s;
  BOOST_TEST(s.phase() == "not begun");
  s.write_run("stopped");
  BOOST_TEST(s.phase() == "stopped");
  BOOST_TEST(s.state().finished == 4U);
  s.write_run("failed");
  BOOST_TEST(s.phase() == "failed");
  BOOST_TEST(s.state().failure == "a disk");
  s.write_run("complete");
  BOOST_TEST(s.phase() == "done");
  s.write("run.json", R"({"status":"complete","records":{"finished":4,"wanted":4}})");
  BOOST_TEST(s.phase() == "to go on");  // it was planned for more since
  s.write("run.json", R"({"status":"failed","failure":"x","exit":74})");
  BOOST_TEST(s.state().exit.value_or(0) == 74);
  s.write("run.json", "{");
  BOOST_TEST(s.phase() == "failed");
  BOOST_TEST(s.state().failure.find("run.json") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_time_left_is_that_of_the_work_left_at_the_speed_so_far) {
  const run_progress p{.begun = 100, .finished = 300, .wanted = 700, .at_work = std::chrono::seconds(20)};
  BOOST_REQUIRE(p.left().has_value());
  BOOST_TEST(p.left()->count() == 40'000);
  const run_progress just_begun{.wanted = 10};
  BOOST_TEST(!just_begun.left().has_value());
  const scratch_folder folder;
  write_progress(folder.path() / "progress", p);
  const auto again = read_progress(folder.path() / "progress");
  BOOST_REQUIRE(again.has_value());
  BOOST_TEST(again->finished == 300U);
  BOOST_TEST(again->at_work.count() == 20'000);
  folder.write("progress", "1 2 x");
  BOOST_TEST(!read_progress(folder.path() / "progress"));
}

BOOST_AUTO_TEST_SUITE_END()
