// SPDX-License-Identifier: Apache-2.0
// A program that is asked to stop ends soon, whatever its threads are at: a forward pass of a large model
// may take minutes, and what it gives would be dropped. Where the work does not come to its own end within a
// moment, the program saves what is finished and ends.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace depthlens {

class quick_end {
 public:
  struct rules {
    std::function<bool()> asked;           // whether to end; looked at all the time
    std::function<int()> save;             // saves what is finished and says so; returns the exit code
    std::chrono::milliseconds grace{500};  // for the work to end by itself
  };
  explicit quick_end(rules r);
  ~quick_end();  // from now on the work ends by itself
  quick_end(const quick_end&) = delete;

 private:
  void watch();

  const rules rules_;
  std::mutex guard_;
  std::condition_variable end_;
  bool ending_ = false;
  std::thread watcher_;
};

}  // namespace depthlens
