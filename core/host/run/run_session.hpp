// SPDX-License-Identifier: Apache-2.0
// One run command: experiments on a model, into an output folder that can be continued and extended.
#pragma once

#include "plugins/registry.hpp"
#include "run/run_request.hpp"

namespace depthlens {

// Returns the program's exit code. Where a stop is asked for while work is in flight, that work is given up
// and the program ends from within, with all that was finished saved.
int execute_run(run_request request, registry& plugins);

}  // namespace depthlens
