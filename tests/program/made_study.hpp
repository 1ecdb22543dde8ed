// SPDX-License-Identifier: Apache-2.0
// An experiment that a test compiles outside the program: it does as the variable FAULT says,
// "FUNCTION:DEED", in record 5, and is a good one where there is none.
#pragma once

#include "host/made_plugins.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace depthlens::test {

inline constexpr const char* made_study_source = R"(
#include "depthlens/experiment.hpp"
#include <array>
#include <atomic>
#include <cstdio>
#include <stdexcept>
#include <unistd.h>
namespace {
using namespace depthlens;
const dlens_host* host = nullptr;
// Adds up numbers on the host's threads, and has one of them fail.
void use_threads() {
  const auto* threads = static_cast<const dlens_threads*>(host->get_extension(host, DLENS_THREADS_SERVICE));
  const void* service = host->get_extension(host, DLENS_PROGRESS_SERVICE);
  const auto* progress = static_cast<const dlens_progress*>(service);
  if (!threads || !progress || host->get_extension(host, "no.such/1")) throw std::runtime_error("no service");
  std::atomic<long> sum{0};
  const auto add = [](void* to, std::uint64_t i, dlens_error*) -> dlens_status {
    *static_cast<std::atomic<long>*>(to) += static_cast<long>(i);
    return DLENS_OK;
  };
  dlens_error e{};
  e.size = sizeof e;
  if (threads->parallel_for(threads, 1000, add, &sum, &e) != DLENS_OK || sum != 499500)
    throw std::runtime_error("wrong sum");
  progress->report(progress, 0.5, to_text("adding"));
  const auto refuse = [](void*, std::uint64_t i, dlens_error* to) -> dlens_status {
    if (i != 7) return DLENS_OK;
    write_error(to, status::data, "seven");
    return DLENS_DATA;
  };
  const bool refused = threads->parallel_for(threads, 1000, refuse, nullptr, &e) == DLENS_DATA;
  if (!refused || std::string(e.message) != "seven") throw std::runtime_error("no refusal");
  if (host->should_stop(host) != 0) throw std::runtime_error("nobody asked to stop");
}
// On a thread of the host, which may be another one.
template <class Task>
void in_task(Task task) {
  const auto* threads = static_cast<const dlens_threads*>(host->get_extension(host, DLENS_THREADS_SERVICE));
  checked_call(threads->parallel_for, threads, std::uint64_t{64},
               +[](void*, std::uint64_t i, dlens_error*) -> dlens_status { return i == 40 ? Task{}() : 0; },
               static_cast<void*>(&task));
}
void act(const std::string& function) {
  const char* fault = std::getenv("FAULT");
  const std::string wish = fault ? fault : "";
  if (wish.rfind(function + ":", 0) != 0) return;
  const std::string deed = wish.substr(function.size() + 1);
  if (deed == "throw") throw std::runtime_error("boom");
  if (deed == "throw int") throw 5;
  if (deed == "exit") std::exit(0);
  if (deed == "_exit") ::_exit(0);
  if (deed == "quick_exit") std::quick_exit(0);
  if (deed == "abort") std::abort();
  if (deed == "segfault") *const_cast<volatile int*>(static_cast<int*>(nullptr)) = 1;
  if (deed == "trap") __builtin_trap();
  if (deed == "print") std::puts("spoilt"), std::fflush(stdout);
  if (deed == "cancel") fail(static_cast<status>(DLENS_CANCELLED), "it was asked to end");
  if (deed == "threads") use_threads();
  if (deed == "task throw") in_task([]() -> dlens_status { throw std::runtime_error("boom"); });
  if (deed == "task abort") in_task([]() -> dlens_status { std::abort(); });
  if (deed == "task exit") in_task([]() -> dlens_status { std::exit(0); });
  if (deed == "hang") {
    std::fclose(std::fopen(std::getenv("MARK"), "w"));
    for (;;) ::pause();
  }
}
class made final : public study {
 public:
  static std::span<const dlens_option> options() { return {}; }
  static std::span<const dlens_input> inputs() {
    static constexpr const char* kinds[] = {"fact", "prompt", nullptr};
    static const std::array list = {make_input("", kinds)};
    return list;
  }
  made(const dlens_run& run, const option_values&)
      : description_({{"rows", "made_{lens}", {{"i", DLENS_I64}, {"text", DLENS_TEXT}}},
                      {"sum", "sum_{lens}", {{"n", DLENS_I64}}, DLENS_TABLE_SUMMARY}}, {}) {
    host = run.host;
    act("create");
  }
  const description& describe() override { act("describe"); return description_; }
  void plan(const record_view& r, const tops_view& a, const request_view& q) const override {
    if (r.index() == 5) act("plan");
    if (a.rounds() > 0) return;
    const std::array<std::int32_t, 2> ids = {1, static_cast<std::int32_t>(r.index())};
    const std::int32_t target = -1;
    q.add_read(q.add_sequence(ids), 1, std::span(&target, 1));
  }
  void consume(const record_view& r, const answers_view&, std::uint32_t, const sink_view& s) const override {
    if (r.index() == 5) act("consume");
    const std::string wish = std::getenv("FAULT") ? std::getenv("FAULT") : "";
    if (r.index() == 5 && wish == "consume:summary") s.append(1, std::array{i64_value(1)});
    if (r.index() == 5 && wish == "consume:nul")
      s.append(0, std::array{i64_value(1), text_value(std::string_view("a\0b", 3))});
    s.append(0, std::array{i64_value(static_cast<std::int64_t>(r.index())), text_value("a\xff")});
  }
  void finish(const rows_view& all, std::uint32_t, const sink_view& s) const override {
    act("finish");
    std::int64_t n = 0;
    while (all.next()) ++n;
    s.append(1, std::array{i64_value(n)});
  }
 private:
  description description_;
};
}
DEPTHLENS_EXPERIMENT(made, "experiment.made", "1", "made by a test", "MIT");
)";

// The folder of experiment-made.so; compiled once for all tests.
inline std::filesystem::path made_study() {
  static const scratch_folder folder;
  const auto so = folder.path() / "experiment-made.so";
  if (std::filesystem::exists(so)) return folder.path();
  const auto source = folder.write("made.cpp", made_study_source);
  const std::string compiler = std::getenv("CXX") != nullptr ? std::getenv("CXX") : "c++";
  const std::string command = compiler + " -std=c++20 -shared -fPIC -fvisibility=hidden -I'" +
                              include_folder().string() + "' -o '" + so.string() + "' '" + source.string() +
                              "'";
  BOOST_REQUIRE_MESSAGE(std::system(command.c_str()) == 0,
                        "the tests need a C++ compiler; this failed: " << command);
  return folder.path();
}

}  // namespace depthlens::test
