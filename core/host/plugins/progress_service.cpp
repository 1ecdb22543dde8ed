// SPDX-License-Identifier: Apache-2.0
#include "plugins/progress_service.hpp"

#include "depthlens/base/abi_error.hpp"
#include "depthlens/base/text.hpp"
#include "terminal/log.hpp"

#include <chrono>
#include <cmath>
#include <mutex>

namespace depthlens {
namespace {

constexpr auto line_every = std::chrono::seconds(5);

// The first line comes after some time too: what is over soon needs none.
void report(const dlens_progress*, double share, dlens_text what) noexcept {
  using clock = std::chrono::steady_clock;
  static std::mutex guard;
  static clock::time_point last = clock::now();
  try {
    const std::unique_lock lock(guard, std::try_to_lock);
    const auto now = clock::now();
    if (!lock || now - last < line_every) return;
    last = now;
    const std::string text = visible_line(to_view(what));
    log_info(std::isfinite(share) ? cat(text, ": ", std::lround(100 * share), " %") : text);
  } catch (...) {  // nobody waits for it
  }
}

}  // namespace

const dlens_progress* progress_service() {
  static constexpr dlens_progress service{sizeof(dlens_progress), 0, nullptr, &report};
  return &service;
}

}  // namespace depthlens
