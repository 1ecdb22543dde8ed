// SPDX-License-Identifier: Apache-2.0
#include "commands/command.hpp"

#include "depthlens/base/nearest.hpp"
#include "plugins/registry.hpp"
#include "version.hpp"

#include <algorithm>
#include <iostream>

namespace depthlens {

std::span<const command> all_commands() {
  static constexpr command commands[] = {
      {"run", "run experiments on a model: tables, figures, run.json", &run_command},
      {"plot", "draw the figures of a run again, from its CSVs", &plot_command},
      {"trace", "what a model would say after each layer of a prompt", &trace_command},
      {"bench", "how fast prompts are computed here, beside what the machine can do", &bench_command},
      {"tokens", "encode, decode and count tokens", &tokens_command},
      {"lens", "train a lens, what one holds, how close it comes to the output", &lens_command},
      {"plugins", "list backend and experiment plugins, and why any was refused", &plugins_command},
      {"models", "what a model file or folder holds; without one, those in the cache", &models_command},
      {"env", "versions and machine, for bug reports", &env_command},
      {"help", "this list, or the options of a command or an experiment", &help_command},
  };
  return commands;
}

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
               "usage: depthlens [-q] [--plugin-path DIR] COMMAND [OPTION...]\n\n";
  for (const command& c : all_commands())
    std::cout << "  " << c.name << std::string(10 - c.name.size(), ' ') << c.summary << '\n';
  std::cout << "\nExit codes: 0 done; 1 done, but no prompt was kept or some gave NaN or infinity;\n"
               "64 usage; 65 bad input file; 66 input not found; 69 backend or plugin not\n"
               "available; 70 internal; 73 cannot create output; 74 I/O; 75 stopped, run again\n"
               "to continue; 77 no permission; 78 folder belongs to another run; 141 (SIGPIPE)\n"
               "the reader of stdout has gone.\n"
               "depthlens help COMMAND shows its options, depthlens help EXPERIMENT those of\n"
               "an experiment.\n";
  return 0;
}

}  // namespace depthlens
