// SPDX-License-Identifier: Apache-2.0
// Signals kept from the threads that are started meanwhile: they are for the main thread, which may wait in
// a call that they shall end.
#pragma once

#include <signal.h>

namespace depthlens {

class blocked_signals {
 public:
  blocked_signals() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~blocked_signals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  blocked_signals(const blocked_signals&) = delete;
  blocked_signals& operator=(const blocked_signals&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace depthlens
