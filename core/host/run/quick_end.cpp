// SPDX-License-Identifier: Apache-2.0
#include "run/quick_end.hpp"

#include "process/blocked_signals.hpp"

#include <cstdlib>
#include <optional>
#include <utility>

namespace depthlens {

using clock_type = std::chrono::steady_clock;

quick_end::quick_end(rules r) : rules_(std::move(r)) {
  const blocked_signals blocked;  // the thread inherits that
  watcher_ = std::thread([this] { watch(); });
}

quick_end::~quick_end() {
  {
    const std::lock_guard lock(guard_);
    ending_ = true;
  }
  end_.notify_all();
  watcher_.join();
}

void quick_end::watch() {
  constexpr std::chrono::milliseconds step{20};
  std::optional<clock_type::time_point> since;
  std::unique_lock lock(guard_);
  while (!end_.wait_for(lock, step, [this] { return ending_; })) {
    if (!rules_.asked()) continue;
    if (!since) since = clock_type::now();
    if (clock_type::now() - *since < rules_.grace) continue;
    // No destructors: threads are at work in plugins, and would be waited for.
    std::_Exit(rules_.save());
  }
}

}  // namespace depthlens
