// SPDX-License-Identifier: Apache-2.0
// Without memory or threads the program ends with one line and an exit code, never by a signal: every kind of
// call that can fail is made to fail, one by one.
#include "program/preloaded.hpp"
#include "program/process.hpp"
#include "program/tiny_folder.hpp"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(resource_faults)

namespace {

using namespace depthlens;
using namespace depthlens::test;

constexpr std::array kinds{"malloc", "mmap", "pthread_create"};

// A short run on a tiny model.
class short_run {
 public:
  short_run() {
    model_.make_random();
    boost::json::array rows;
    for (const char* prompt : {"ab", "abc", "b"})
      rows.push_back(boost::json::object{{"prompt", prompt}, {"answer", "a"}});
    data_ = folder_.write("facts.json", boost::json::serialize(rows));
  }
  outcome operator()(const std::map<std::string, std::string>& environment) const {
    const auto out = folder_.path() / "out";
    std::filesystem::remove_all(out);
    surroundings s;
    s.environment = environment;
    s.environment["LD_PRELOAD"] = std::getenv("DEPTHLENS_FAIL_CALL");
    s.patience = std::chrono::seconds(60);
    return depthlens_says({"run", "facts", "--model", model_.path(), "--out", out, "--data",
                           "facts=" + data_.string(), "--threads", "2", "--format", "svg", "--quiet"},
                          s);
  }
  std::filesystem::path folder() const { return folder_.path(); }

 private:
  tiny_folder model_;
  scratch_folder folder_;
  std::filesystem::path data_;
};

// How many calls of each kind an undisturbed run makes.
std::vector<long> calls_of(const short_run& run) {
  const auto file = run.folder() / "counts";
  const outcome o = run({{"COUNT_CALLS", file.string()}});
  BOOST_REQUIRE_MESSAGE(o.code == 0 || o.code == 69, o.err);  // without gnuplot 69
  std::istringstream numbers(read_bytes(file));
  std::vector<long> out(kinds.size());
  for (long& n : out) numbers >> n;
  return out;
}

// Up to n numbers spread over 1..last, more of them at the beginning.
std::set<long> spread(long last, long n) {
  std::set<long> out;
  for (long i = 1; i <= n; ++i) out.insert(std::max(1L, last * i * i / (n * n)));
  return out;
}

void check_end(const outcome& o, const std::string& what, std::map<int, int>& by_code) {
  ++by_code[o.code];
  BOOST_TEST(o.code < 128, what << " ended by signal " << o.code - 128 << ": " << o.err);
  static const std::set<int> expected{0, 1, 65, 66, 69, 70, 73, 74, 77};
  BOOST_TEST(expected.contains(o.code), what << " ended with " << o.code << ": " << o.err);
  if (o.code == 0) return;
  const words lines = lines_of(o.err);
  BOOST_TEST(!lines.empty(), what << " ended with " << o.code << " without a word");
}

}  // namespace

// DEPTHLENS_TEST_ALL_CALLS=1 takes every call, which takes an hour.
BOOST_AUTO_TEST_CASE(whatever_call_fails_the_program_ends_with_a_word,
                     *boost::unit_test::precondition(can_preload{"DEPTHLENS_FAIL_CALL"})) {
  const short_run run;
  const std::vector<long> calls = calls_of(run);
  const char* all = std::getenv("DEPTHLENS_TEST_ALL_CALLS");
  constexpr std::array<long, 3> few{8, 8, 4};
  for (std::size_t k = 0; k < kinds.size(); ++k) {
    std::map<int, int> by_code;
    const std::set<long> numbers = spread(calls[k], all ? calls[k] : few[k]);
    for (const long n : numbers)
      for (const char* rest : {"", "+"}) {
        const std::string wish = cat(kinds[k], ":", n, rest);
        check_end(run({{"FAIL_CALL", wish}}), wish, by_code);
      }
    std::string table;
    for (const auto& [code, n] : by_code) table += cat(" ", n, "x", code);
    BOOST_TEST_MESSAGE(kinds[k] << ": " << numbers.size() << " of " << calls[k]
                                << " calls, twice; ends:" << table);
  }
}

// oneDNN writes its kernels wherever they fit; where they do not, it would crash.
BOOST_AUTO_TEST_CASE(little_address_space_ends_the_program_with_a_word,
                     *boost::unit_test::precondition(can_preload{"DEPTHLENS_FAIL_CALL"})) {
  const tiny_folder model;
  model.make_random();
  for (long mib = 40; mib <= 160; mib += 15) {
    const outcome o = depthlens::test::run(
        {"/bin/sh", "-c",
         cat("ulimit -v ", mib * 1024, "; exec \"$0\" trace --model \"$1\" --prompt ab --threads 1"),
         program(), model.path()});
    BOOST_TEST(o.code < 128, mib << " MiB: signal " << o.code - 128 << ": " << o.err);
    BOOST_TEST((o.code == 0 || !o.err.empty()), mib << " MiB: ended with " << o.code << " without a word");
  }
}

BOOST_AUTO_TEST_SUITE_END()
