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

// The same for a command that takes the options of run and some of its own, which `values` gets: with its
// usage, and the names of those that are not part of the run.
struct run_like_command {
  const char* usage;
  boost::program_options::options_description options;
  std::vector<std::string> own;
};
bool parse_run_like(const arguments& args, registry& plugins, const run_like_command& command,
                    run_request& out, parsed_options& values);

// The plugins that a command line or its config file names folders of.
registry plugins_for(const arguments& args);

// A command of run that was typed before, once more: paths are again those in the folder where it was typed,
// which becomes the working folder. Throws what parse_run throws; no_input where that folder is gone.
struct typed_run {
  registry plugins;
  run_request request;
};
typed_run run_of(const typed_command& command);

}  // namespace depthlens
