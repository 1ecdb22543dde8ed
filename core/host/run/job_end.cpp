// SPDX-License-Identifier: Apache-2.0
#include "run/job_end.hpp"

#include "depthlens/base/error.hpp"
#include "process/stop_signal.hpp"
#include "terminal/log.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace depthlens {

job_end::job_end() {
  using std::chrono::milliseconds;
  const char* const text = std::getenv("SLURM_JOB_END_TIME");
  if (text == nullptr) return;
  const std::string_view digits(text);
  std::int64_t at = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), at);
  const auto now =
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  constexpr std::int64_t furthest = 100'000'000'000;  // seconds
  if (code != std::errc{} || end != digits.data() + digits.size() || at < 0 || at > furthest) return;
  const milliseconds left = std::chrono::seconds(at) - now;
  if (left.count() <= 0) return;  // of another job, or a clock that is wrong: nothing follows from it
  end_ = clock::now() + left;
  stop_at_ = *end_ - std::min<milliseconds>(std::chrono::seconds(30), left / 10);
}

void job_end::stop_in_time() {
  if (!stop_at_ || clock::now() < *stop_at_) return;
  stop_at_.reset();
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(*end_ - clock::now()).count();
  log_warning(
      cat("the job's time ends in ", std::max<std::int64_t>(left, 0), " s (SLURM_JOB_END_TIME): stopping"));
  ask_to_stop();
}

}  // namespace depthlens
