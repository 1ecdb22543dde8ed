// SPDX-License-Identifier: Apache-2.0
#include "model/thread_limit.hpp"

#include "depthlens/error.hpp"
#include "terminal/log.hpp"

#include <condition_variable>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace depthlens {
namespace {

unsigned said(unsigned wanted) {
  const unsigned possible = threads_possible(wanted);
  if (possible < wanted)
    log_warning(cat("only ", possible, " of ", wanted,
                    " threads can be made here, so that many compute; a limit "
                    "(ulimit -u, ulimit -v, or of the batch system) is in the way"));
  return possible;
}

}  // namespace

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

thread_limit::thread_limit(unsigned threads)
    : control_(tbb::global_control::max_allowed_parallelism, said(threads)) {}

}  // namespace depthlens
