// SPDX-License-Identifier: Apache-2.0
// The memory of a device as the calls on it share it. How much a call takes is known in advance only about,
// so one that finds too little left is made once more when the others have ended, with the whole device for
// itself.
#pragma once

#include <c10/util/Exception.h>

#include <mutex>
#include <shared_mutex>

namespace depthlens::torch_backend {

class device_room {
 public:
  // Calls fn(), which may be called twice and leaves nothing on the device when it throws. Errors: fn's own,
  // and c10::OutOfMemoryError where the whole device is too small. [any]
  template <class Function>
  void call(const Function& fn) {
    try {
      const std::shared_lock lock = enter();
      return fn();
    } catch (const c10::OutOfMemoryError&) {
    }
    const std::lock_guard door(door_);  // who waits for the others is not overtaken
    const std::lock_guard alone(calls_);
    fn();
  }

 private:
  std::shared_lock<std::shared_mutex> enter() {
    const std::lock_guard door(door_);
    return std::shared_lock(calls_);
  }

  std::mutex door_;
  std::shared_mutex calls_;
};

}  // namespace depthlens::torch_backend
