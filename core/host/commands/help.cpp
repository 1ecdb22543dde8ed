// SPDX-License-Identifier: Apache-2.0
#include "commands/command.hpp"

#include "depthlens/base/nearest.hpp"
#include "plugins/registry.hpp"
#include "version.hpp"

#include <algorithm>
#include <iostream>

namespace depthlens {

namespace {

// The help of a command, or of run with an experiment.
int help_about(const arguments& args) {
  const auto commands = all_commands();
  const auto at =
      std::find_if(commands.begin(), commands.end(), [&](const command& c) { return c.name == args[0]; });
  arguments rest(args.begin() + 1, args.end());
  rest.push_back("--help");
  if (at != commands.end()) return at->name == "help" ? help_command({}) : at->run(rest);
  std::vector<std::filesystem::path> folders;
  for (const std::string& p : early_values(args, "--plugin-path")) folders.emplace_back(p);
  std::vector<std::string> known = registry(folders).words("experiment");
  if (std::find(known.begin(), known.end(), args[0]) != known.end()) {
    rest.insert(rest.begin(), args[0]);
    return run_command(rest);
  }
  for (const command& c : commands) known.emplace_back(c.name);
  fail(status::usage, "no command or experiment \"", args[0], "\"", suggestion(args[0], known),
       "; depthlens help lists the commands, depthlens plugins the experiments");
}

}  // namespace

int help_command(const arguments& args) {
  if (!args.empty() && !args[0].starts_with('-')) return help_about(args);
  std::cout << "depthlens " DEPTHLENS_VERSION
               ": experiments on the depth of language models\n\n"
               "usage: depthlens [-q] [--progress HOW] [--plugin-path DIR] COMMAND [OPTION...]\n\n";
  for (const command& c : all_commands())
    std::cout << "  " << c.name << std::string(10 - c.name.size(), ' ') << c.summary << '\n';
  std::cout << "\nExit codes: 0 done; 1 done, but no prompt could be read, or some gave NaN;\n"
               "64 usage; 65 bad input file; 66 input not found; 69 backend, plugin or enough\n"
               "memory not available; 70 internal, out of memory; 73 cannot create output;\n"
               "74 I/O; 75 stopped, run again to continue; 77 no permission; 78 folder belongs\n"
               "to another run; 141 (SIGPIPE) the reader of stdout has gone.\n"
               "depthlens help COMMAND shows its options, depthlens help EXPERIMENT those of\n"
               "an experiment.\n";
  return 0;
}

}  // namespace depthlens
