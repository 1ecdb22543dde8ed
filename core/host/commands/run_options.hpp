// SPDX-License-Identifier: Apache-2.0
// The command line of `depthlens run`.
#pragma once

#include "commands/command.hpp"
#include "plugins/registry.hpp"
#include "run/run_request.hpp"

namespace depthlens {

// Loads the experiments named first on the command line, so that their options are known. Returns false where
// only help was asked for and printed.
bool parse_run(const arguments& args, registry& plugins, run_request& out);

}  // namespace depthlens
