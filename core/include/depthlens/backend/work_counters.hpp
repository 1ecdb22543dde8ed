// SPDX-License-Identifier: Apache-2.0
// For backends: what forward calls have done. Each counts for itself and adds that to the model's totals when
// it ends. Time is wall time of the calling thread.
#pragma once

#include "depthlens/abi/backend.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace depthlens {

inline std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

// Products with weight matrices, of one call.
struct product_counter {
  std::uint64_t flops = 0, ns = 0;

  // Counts a product of (rows, inputs) with (inputs, outputs) that began at `start`.
  void add(std::size_t rows, std::size_t inputs, std::size_t outputs, std::uint64_t start) {
    flops += std::uint64_t{2} * rows * inputs * outputs;
    ns += now_ns() - start;
  }
};

// Of one model. Thread-safe.
class work_counters {
 public:
  // calls: 1 where what is added ends a forward call or a pass.
  void add(const product_counter& products, std::uint64_t blocks_ns, std::uint64_t readout_ns,
           std::uint64_t calls = 1) {
    calls_ += calls;
    product_flops_ += products.flops;
    product_ns_ += products.ns;
    blocks_ns_ += blocks_ns;
    readout_ns_ += readout_ns;
  }
  void add_load(std::uint64_t ns) { load_ns_ += ns; }
  void write(dlens_work& out) const {
    const auto put = [&out](std::uint64_t& to, const std::atomic<std::uint64_t>& from) {
      const auto end = reinterpret_cast<const char*>(&to + 1) - reinterpret_cast<const char*>(&out);
      if (out.size >= static_cast<std::size_t>(end)) to = from.load();
    };
    put(out.calls, calls_);
    put(out.product_flops, product_flops_);
    put(out.product_ns, product_ns_);
    put(out.blocks_ns, blocks_ns_);
    put(out.readout_ns, readout_ns_);
    put(out.load_ns, load_ns_);
  }

 private:
  std::atomic<std::uint64_t> calls_{0}, product_flops_{0}, product_ns_{0}, blocks_ns_{0}, readout_ns_{0},
      load_ns_{0};
};

}  // namespace depthlens
