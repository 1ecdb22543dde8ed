// SPDX-License-Identifier: Apache-2.0
// Where a run is, for the thread that ends it while others are at work (quick_end.hpp): what it may write
// then. The main thread says where the run is; what it names here outlives the naming.
#pragma once

#include "engine/study_runner.hpp"
#include "results/manifest.hpp"
#include "results/run_folder.hpp"

#include <boost/json.hpp>

#include <cstdint>
#include <mutex>

namespace depthlens {

class run_state {
 public:
  void set_folder(run_folder* folder);  // null = it is held no longer
  // From now on run.json is this run's.
  void begin(std::uint64_t records_wanted);
  bool begun() const { return begun_; }
  // The runner whose records go into the logs; null = none is at work.
  void set_runner(study_runner* runner);
  // Writes run.json, where the folder is still this process's.
  void save(const manifest& m);

  // The rest is for the thread that ends the program.
  bool must_end() const;  // a stop was asked for, or the folder was lost
  int end();              // saves what is finished and says so; returns the exit code

 private:
  mutable std::mutex guard_;
  run_folder* folder_ = nullptr;
  study_runner* runner_ = nullptr;
  manifest last_;  // as it was written last
  std::uint64_t wanted_ = 0, finished_ = 0;
  bool begun_ = false;
};

// As long as it lives, the runner's records are there to be saved.
class records_at_work {
 public:
  records_at_work(run_state& state, study_runner& runner) : state_(state) { state_.set_runner(&runner); }
  ~records_at_work() { state_.set_runner(nullptr); }
  records_at_work(const records_at_work&) = delete;

 private:
  run_state& state_;
};

}  // namespace depthlens
