// SPDX-License-Identifier: Apache-2.0
// --memory and --device-memory: what is said of a budget, and what is refused.
#include "program/demo.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <regex>
#include <string>

BOOST_AUTO_TEST_SUITE(memory_budgets)

namespace {

using namespace depthlens;
using namespace depthlens::test;

words trace(const words& more) {
  return words{"trace", "--model", demo_model(), "--prompt", "The capital of France is"} + more;
}

boost::test_tools::assertion_result with_torch(boost::unit_test::test_unit_id) {
  const char* said = std::getenv("DEPTHLENS_TEST_TORCH");
  boost::test_tools::assertion_result out(said != nullptr && *said == '1');
  out.message() << "this build has no libtorch";
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(sizes_that_are_none_are_refused) {
  for (const char* size : {"0", "-1", "-3G", "12X", "G", "", "6GX", "0%", "nan", "1e400", "inf"}) {
    const outcome o = depthlens_says(trace({std::string("--memory=") + size}));
    BOOST_TEST(o.code == 64, size << ": " << o.code << ' ' << o.err);
    BOOST_TEST(o.out.empty());
  }
  const outcome o = depthlens_says(trace({}), {.environment = {{"DEPTHLENS_MEMORY", "12X"}}});
  BOOST_TEST(o.code == 64);
  BOOST_TEST(o.err.find("DEPTHLENS_MEMORY 12X: expected bytes") != std::string::npos, o.err);
}

BOOST_AUTO_TEST_CASE(a_budget_that_does_not_do_is_refused_with_the_least_one_which_does) {
  const outcome refused = depthlens_says(trace({"--memory", "20M"}));
  BOOST_TEST(refused.code == 69, refused.err);
  std::smatch least;
  BOOST_REQUIRE(
      std::regex_search(refused.err, least, std::regex("the least that would do is --memory ([0-9]+M)")));
  const outcome same = must_work(trace({"--memory", least[1]})), held = must_work(trace({}));
  BOOST_TEST(same.out == held.out);
  BOOST_TEST(same.err.find("weights are streamed: ") != std::string::npos, same.err);
  BOOST_TEST(held.err.find("streamed") == std::string::npos, held.err);
}

BOOST_AUTO_TEST_CASE(the_environment_gives_the_budget_and_the_option_counts_before_it) {
  const surroundings small{.environment = {{"DEPTHLENS_MEMORY", "250M"}}};
  BOOST_TEST(must_work(trace({}), small).err.find("streamed") != std::string::npos);
  BOOST_TEST(must_work(trace({"--memory", "90%"}), small).err.find("streamed") == std::string::npos);
  const outcome said = must_work({"env"}, small);
  BOOST_TEST(said.out.find("memory budget: 250 MiB (DEPTHLENS_MEMORY 250M)") != std::string::npos, said.out);
  const surroundings empty{.environment = {{"DEPTHLENS_MEMORY", ""}}};
  BOOST_TEST(must_work({"env"}, empty).out.find("(80% of ") != std::string::npos);
  BOOST_TEST(must_work({"env"}).out.find("memory, MemAvailable: ") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_budget_of_more_than_there_is_is_taken_with_a_warning) {
  const outcome o = must_work(trace({"--memory", "900T"}));
  BOOST_TEST(o.err.find("--memory 900T is more than this process may have") != std::string::npos, o.err);
}

BOOST_AUTO_TEST_CASE(a_dry_run_tells_how_memory_will_be_used_before_the_model_is_read) {
  const small_data data(4);
  const scratch_folder folder;
  const auto plan = [&](const words& more) {
    return must_work(data.all() + words{"--out", folder.path() / "run", "--dry-run"} + more).out;
  };
  const std::string held = plan({}), streamed = plan({"--memory", "230M"});
  BOOST_TEST(held.find("weights            515 MiB, held") != std::string::npos, held);
  BOOST_TEST(held.find("waves") == std::string::npos, held);
  BOOST_TEST(streamed.find("at a time of 515 MiB, streamed") != std::string::npos, streamed);
  BOOST_TEST(std::regex_search(streamed, std::regex("waves +[0-9]+, each reading the model's file once")),
             streamed);
  BOOST_TEST(streamed.find("(--memory 230M)") != std::string::npos, streamed);
}

namespace {

// "163M", as a refusal names it.
std::string least_budget(const outcome& refused) {
  BOOST_TEST(refused.code == 69, refused.err);
  std::smatch least;
  BOOST_REQUIRE(
      std::regex_search(refused.err, least, std::regex("the least that would do is --memory ([0-9]+M)")));
  return least[1];
}

// Under a limit of so many KiB of data.
outcome limited(std::uint64_t kib, const words& arguments) {
  const words shell{"/bin/sh", "-c", cat("ulimit -d ", kib, "; exec \"$0\" \"$@\""), program()};
  return run(shell + arguments);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_dry_run_a_run_and_one_that_goes_on_need_the_same_memory) {
  const small_data data(4);
  for (const char* threads : {"1", "3"}) {
    const scratch_folder folder;
    const auto say = [&](const words& more) {
      return depthlens_says(data.all() + words{"--out", folder.path() / "run", "--threads", threads} + more);
    };
    const std::string least = least_budget(say({"--memory", "20M"}));
    BOOST_TEST(!std::filesystem::exists(folder.path() / "run"), "a refused run leaves a folder");
    BOOST_TEST(least_budget(say({"--memory", "20M", "--dry-run"})) == least);
    BOOST_TEST(say({"--memory", least, "--dry-run"}).code == 0);
    BOOST_TEST(say({"--memory", least, "--limit", "2"}).code == 0);
    const outcome on = say({"--memory", least});  // the records that are left
    BOOST_TEST(on.code == 0, on.err);
  }
}

BOOST_AUTO_TEST_CASE(bench_keeps_to_the_budget_and_still_tells_the_rate_of_the_machine) {
  const words bench{"bench", "--model", demo_model(), "--count", "2", "--tokens", "16", "--threads", "2"};
  const std::string least = least_budget(depthlens_says(bench + words{"--memory", "20M"}));
  constexpr std::uint64_t reserved = 96;  // MiB, of two threads
  const outcome o = limited((std::stoull(least) + reserved) << 10, bench + words{"--memory", least});
  BOOST_TEST(o.code == 0, o.err);
  BOOST_TEST(std::regex_search(o.out, std::regex("useful .* % of plain products")), o.out << o.err);
}

BOOST_AUTO_TEST_CASE(a_budget_above_a_limit_of_the_process_is_brought_down_to_it) {
  const outcome o = limited(164 << 10, trace({"--memory", "8G", "--threads", "1"}));
  BOOST_TEST(o.code == 69, o.err);
  for (const char* word : {"--memory 8G is more than this process may have: 100 MiB",
                           "100 MiB may be taken (--memory 8G, cut by ulimit -d, less what is reserved)",
                           "for which a limit must be raised: ulimit -d"})
    BOOST_TEST(o.err.find(word) != std::string::npos, o.err);
}

BOOST_AUTO_TEST_CASE(a_devices_budget_is_refused_where_the_weights_lie_in_the_process) {
  const small_data data(1);
  const scratch_folder folder;
  for (const words& more : {words{}, words{"--dry-run"}})
    check_refused(data.all() + words{"--out", folder.path() / "run", "--device-memory", "6G"} + more,
                  status::usage, "--device-memory 6G", "use --memory");
  check_refused(trace({"--device-memory", "6X"}), status::usage, "--device-memory 6X: expected bytes");
  must_work(trace({}), {.environment = {{"DEPTHLENS_DEVICE_MEMORY", "6G"}}});
}

BOOST_AUTO_TEST_CASE(the_torch_backend_streams_within_its_budget_with_the_same_words,
                     *boost::unit_test::precondition(with_torch)) {
  const words on_cpu{"--backend", "torch", "--device", "cpu", "--threads", "2"};
  const outcome refused = depthlens_says(trace(on_cpu + words{"--memory", "20M"}));
  BOOST_TEST(refused.code == 69, refused.err);
  std::smatch least;
  BOOST_REQUIRE(
      std::regex_search(refused.err, least, std::regex("the least that would do is --memory ([0-9]+M)")));
  const outcome same = must_work(trace(on_cpu + words{"--memory", least[1]})),
                held = must_work(trace(on_cpu));
  BOOST_TEST(same.out == held.out);
  BOOST_TEST(same.err.find("weights are streamed: ") != std::string::npos, same.err);
  BOOST_TEST(held.err.find("streamed") == std::string::npos, held.err);
  check_refused(trace(on_cpu + words{"--device-memory", "6G"}), status::usage, "use --memory");
}

BOOST_AUTO_TEST_SUITE_END()
