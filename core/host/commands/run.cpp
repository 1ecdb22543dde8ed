// SPDX-License-Identifier: Apache-2.0
// depthlens run: what the command line asks for, executed.
#include "commands/run_options.hpp"
#include "process/stop_signal.hpp"
#include "run/run_session.hpp"

#include <filesystem>
#include <utility>
#include <vector>

namespace depthlens {

int run_command(const arguments& args) {
  std::vector<std::filesystem::path> folders;
  for (const std::string& p : early_values(args, "--plugin-path")) folders.emplace_back(p);
  // --help also helps where the config file is the trouble.
  if (const auto configs = early_values(args, "--config"); !configs.empty() && !asks_for_help(args))
    for (const std::string& p : config_values(configs.front(), "plugin-path")) folders.emplace_back(p);
  registry plugins(folders);
  run_request request;
  if (!parse_run(args, plugins, request)) return 0;  // help was asked for
  catch_stop_signals();
  return execute_run(std::move(request), plugins);
}

}  // namespace depthlens
