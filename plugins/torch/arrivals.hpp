// SPDX-License-Identifier: Apache-2.0
// On a GPU: the stream of its own that weights come on, while others compute, and for each stage the event
// that says it has arrived. On the CPU weights are there when they are loaded, and nothing is done here.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/Event.h>
#include <c10/core/Stream.h>
#include <c10/core/StreamGuard.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

namespace depthlens::torch_backend {

// Of one device. Thread-safe.
class arrivals {
 public:
  explicit arrivals(c10::Device device);
  arrivals(const arrivals&) = delete;
  arrivals& operator=(const arrivals&) = delete;

  // While it lives, what this thread asks for goes to the stream of arrivals. One stream for all, so that the
  // memory of weights that have left serves those that come.
  class turn {
   public:
    explicit turn(const arrivals& of);

   private:
    std::optional<c10::StreamGuard> guard_;
  };

  // What has been asked for on that stream so far belongs to the stage, or to those before it.
  void note(std::uint32_t stage);
  // What this thread's stream is asked for from now on waits, on the device, until the stage has arrived.
  void wait_for(std::uint32_t stage);
  // The calling thread waits until all has arrived.
  void finish() const;

 private:
  std::optional<c10::Stream> stream_;  // none on the CPU
  std::mutex guard_;
  std::map<std::uint32_t, c10::Event> events_;
};

}  // namespace depthlens::torch_backend
