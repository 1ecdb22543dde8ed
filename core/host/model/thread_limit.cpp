// SPDX-License-Identifier: Apache-2.0
#include "model/thread_limit.hpp"

#include "depthlens/base/error.hpp"
#include "terminal/log.hpp"

#include <condition_variable>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace depthlens {
unsigned threads_possible(unsigned wanted) {
  std::mutex guard;
  std::condition_variable changed;
  bool over = false;
  std::vector<std::thread> others;
  const auto end_all = [&] {
    {
      const std::lock_guard lock(guard);
      over = true;
    }
    changed.notify_all();
    for (std::thread& t : others) t.join();
  };
  try {
    while (others.size() + 1 < wanted)
      others.emplace_back([&] {
        std::unique_lock lock(guard);
        changed.wait(lock, [&] { return over; });
      });
  } catch (const std::system_error&) {
  } catch (const std::bad_alloc&) {
  }
  end_all();
  return static_cast<unsigned>(others.size()) + 1;
}

static unsigned possible_with_warning(unsigned wanted) {
  const unsigned possible = threads_possible(wanted);
  if (possible < wanted)
    log_warning(
        cat("only ", possible, " of ", wanted,
            " threads can be made here, so that many compute; a limit (ulimit -u, ulimit -v, or of the "
            "batch system) is in the way"));
  return possible;
}

static std::unique_ptr<tbb::global_control> limit_to(unsigned threads) {
  return std::make_unique<tbb::global_control>(tbb::global_control::max_allowed_parallelism, threads);
}

thread_limit::thread_limit(unsigned threads) : thread_limit(threads, possible_with_warning(threads)) {}

thread_limit::thread_limit(unsigned wanted, unsigned possible)
    : for_good_(possible < wanted), control_(limit_to(possible)) {}

thread_limit::~thread_limit() {
  if (for_good_) static_cast<void>(control_.release());
}

}  // namespace depthlens
