// SPDX-License-Identifier: Apache-2.0
#include "arrivals.hpp"

#include <c10/core/impl/VirtualGuardImpl.h>

namespace depthlens::torch_backend {

arrivals::arrivals(c10::Device device) {
  if (device.type() == c10::kCUDA)
    stream_ = c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device);
}

arrivals::turn::turn(const arrivals& of) {
  if (of.stream_) guard_.emplace(*of.stream_);
}

void arrivals::note(std::uint32_t stage) {
  if (!stream_) return;
  const std::lock_guard lock(guard_);
  events_.try_emplace(stage, stream_->device_type()).first->second.record(*stream_);
}

void arrivals::wait_for(std::uint32_t stage) {
  if (!stream_) return;
  const std::lock_guard lock(guard_);
  const auto event = events_.find(stage);
  if (event == events_.end()) return;
  event->second.block(c10::impl::VirtualGuardImpl(stream_->device_type()).getStream(stream_->device()));
}

void arrivals::finish() const {
  if (stream_) stream_->synchronize();
}

}  // namespace depthlens::torch_backend
