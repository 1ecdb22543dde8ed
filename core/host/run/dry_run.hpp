// SPDX-License-Identifier: Apache-2.0
// --dry-run: the work that a run would take, counted and not done.
#pragma once

#include "plugins/registry.hpp"
#include "run/run_inputs.hpp"

namespace depthlens {

// Prints the counts. No weights are loaded and nothing is written. What a backend advises is known only once
// it holds the model, so it is taken from the run.json of --out where that is of the same backend and
// precision; before there is one, packs and kept prefixes are those of a processor that computes in float32,
// and the output says so. Returns the exit code. [main]
int dry_run(run_inputs& inputs, registry& plugins);

}  // namespace depthlens
