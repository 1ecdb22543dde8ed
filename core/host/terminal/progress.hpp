// SPDX-License-Identifier: Apache-2.0
// How far a run is: a bar with rate and time left on a terminal, otherwise a plain line every 30 seconds, or
// an object of JSON every second: see --progress.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace depthlens {

class progress {
 public:
  progress(std::string what, std::uint64_t total);
  ~progress();
  progress(const progress&) = delete;
  void add(std::uint64_t n);                    // [any thread]
  std::uint64_t done() const { return done_; }  // what was added
  // The text stands behind the numbers from the next add on. at: how many are done if those that are under
  // way count by their parts; what was added counts where it is more. [any thread]
  void note(std::string text, double at = 0);

 private:
  using clock = std::chrono::steady_clock;
  void show(std::uint64_t done, clock::time_point now);
  bool is_time(clock::time_point now) const;

  const std::string what_;
  const std::uint64_t total_;
  const clock::time_point start_ = clock::now();
  std::atomic<std::uint64_t> done_{0};
  std::mutex guard_;
  std::string note_;
  double at_ = 0;
  clock::time_point last_ = start_;
  std::uint64_t shown_ = 0;
};

}  // namespace depthlens
