// SPDX-License-Identifier: Apache-2.0
// Work that can be stopped and continued: SIGTERM, SIGINT, SIGUSR1, SIGXCPU and SIGHUP (but under nohup) ask
// for it, and it ends at its next good place. A second SIGINT, or a SIGTERM that comes more than a second
// after the first signal, ends the program at once; so does a plugin that does not come back
// (process/last_words.hpp).
#pragma once

#include <atomic>

namespace depthlens {

void catch_stop_signals();

// As long as one lives, the first signal ends the program at once: there is nothing to be finished or saved.
class nothing_begun {
 public:
  nothing_begun() noexcept;
  ~nothing_begun();
  nothing_begun(const nothing_begun&) = delete;
};

const std::atomic<bool>& stop_asked();  // [any thread]
void ask_to_stop();                     // as a first signal does. [any thread]

}  // namespace depthlens
