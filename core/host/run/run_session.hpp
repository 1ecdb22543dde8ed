// SPDX-License-Identifier: Apache-2.0
// One run command: experiments on a model, into an output folder that can be continued and extended.
#pragma once

#include "plugins/registry.hpp"
#include "run/run_part.hpp"
#include "run/run_request.hpp"

namespace depthlens {

// Opens the inputs (run_inputs), takes the folder (held_run), computes what its logs lack on the model
// (run_backend, engine/study_runner), then writes tables and figures (run_results). Returns the program's
// exit code. Where a stop is asked for, what is finished is saved and work in flight is given up; if that
// work does not end within a moment, the program ends from here (quick_end.hpp), but not where only some
// records are asked for, by part.sample. Throws whatever the parts
// refuse. part: of a shard, request.out is the folder of its own. [main]
int execute_run(run_request request, registry& plugins, const run_part& part = {});

}  // namespace depthlens
