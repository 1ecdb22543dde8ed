// SPDX-License-Identifier: Apache-2.0
#include "run/run_state.hpp"

#include "depthlens/base/error.hpp"
#include "process/plugin_call.hpp"
#include "process/stop_signal.hpp"
#include "terminal/log.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace depthlens {

void run_state::set_folder(run_folder* folder) {
  const std::lock_guard lock(guard_);
  folder_ = folder;
}

void run_state::begin(std::uint64_t records_wanted) {
  const std::lock_guard lock(guard_);
  begun_ = true;
  wanted_ = records_wanted;
}

void run_state::set_runner(study_runner* runner) {
  const std::lock_guard lock(guard_);
  if (runner_ != nullptr) finished_ = runner_->records_in_logs();
  runner_ = runner;
}

void run_state::save(const manifest& m) {
  const std::lock_guard lock(guard_);
  folder_->lock().check_now();
  last_ = m;
  last_.write(folder_->manifest());
}

bool run_state::must_end() const {
  if (stop_asked()) return true;
  const std::lock_guard lock(guard_);
  return folder_ != nullptr && !folder_->lock().held();
}

namespace {

// An experiment's call that keeps the program from its own end; "" = there is none.
std::string call_at_work() {
  const plugin_call::place* const call = call_elsewhere();
  if (call == nullptr || !std::string_view(call->who).starts_with("experiment")) return "";
  return cat("; ", to_string(*call), " had not come back");
}

}  // namespace

int run_state::end() {
  const std::string at_work = call_at_work();
  const std::lock_guard lock(guard_);
  std::optional<std::unique_lock<std::mutex>> logs;
  std::uint64_t finished = finished_;
  try {
    if (runner_ != nullptr) {
      logs = runner_->hold_logs();  // and never given back: nothing is written any more
      finished = runner_->records_in_logs();
    }
    if (folder_ != nullptr) folder_->lock().check_now();
    if (runner_ != nullptr) runner_->sync_logs();
    if (begun_ && folder_ != nullptr) {
      last_.fields["status"] = "stopped";
      last_.fields["records"] = {{"finished", finished}, {"wanted", wanted_}};
      last_.write(folder_->manifest());
    }
    if (folder_ != nullptr) folder_->lock().release();
  } catch (const error& e) {
    log_error(e.what());
    return static_cast<int>(e.code());
  }
  if (folder_ == nullptr) {  // verify keeps nothing to go on from
    log_warning(cat("stopped; nothing was written", at_work));
    return static_cast<int>(status::stopped);
  }
  log_warning(cat("stopped; ",
                  runner_ == nullptr ? std::string("no record is lost")
                                     : cat(runner_->records_run(), " records were finished, ", finished,
                                           " of ", wanted_, " are there"),
                  at_work, ". The same command goes on from there."));
  return static_cast<int>(status::stopped);
}

}  // namespace depthlens
