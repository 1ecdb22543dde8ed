// SPDX-License-Identifier: Apache-2.0
// Plugins are foreign code that runs as soon as it is loaded: it may crash, end the process or never come
// back. So it is first loaded in a child process, which says how it went.
#pragma once

#include "plugins/library.hpp"

#include <chrono>
#include <vector>

namespace depthlens {

struct trial_rules {
  std::chrono::milliseconds loading{10'000};  // the longest that a plugin may take to load
  std::chrono::milliseconds probing{30'000};  // the longest that a backend may take to say whether it can run
  bool silent = false;  // what plugins print is not shown, because they are loaded again afterwards
};

// Loads those of the plugins that are ok so far, one after the other, and asks backends whether they can run
// here. Fills in what load_plugin fills in, and `cannot_run`; one that does not survive is refused with what
// became of it. Nothing is loaded in this process. All are tried in one child, and those behind one that ends
// it in the next. Where no child can be made they stay as they are. [main]
void try_plugins(const std::vector<plugin_verdict*>& plugins, const trial_rules& rules = {});

}  // namespace depthlens
