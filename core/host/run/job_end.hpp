// SPDX-License-Identifier: Apache-2.0
// The end of the time that a scheduler gave this process: SLURM_JOB_END_TIME, in seconds since 1970.
#pragma once

#include <chrono>
#include <optional>

namespace depthlens {

class job_end {
 public:
  // From the environment and the clock as they are now.
  job_end();
  // Asks to stop (stop_signal.hpp), with a line for the user, once what is left is just enough to save what
  // is finished: 30 seconds, or a tenth of what was left at the beginning where that is less.
  void stop_in_time();

 private:
  using clock = std::chrono::steady_clock;  // the other one may be set meanwhile
  std::optional<clock::time_point> stop_at_, end_;
};

}  // namespace depthlens
