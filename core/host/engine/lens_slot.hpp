// SPDX-License-Identifier: Apache-2.0
// Where what a lens of the run reads is found.
#pragma once

#include <cstdint>
#include <vector>

namespace depthlens {

// A lens of the run: the layers that it reads, and where its readings lie in those of a site.
struct lens_slot {
  std::vector<std::int32_t> layers;  // (L)
  int result = -1;                   // index in site_readings::lenses; -1 = not read in this pass
  bool of_control = false;           // of those that the run's control reads (control_batch.hpp)
};

}  // namespace depthlens
