// SPDX-License-Identifier: Apache-2.0
#include "commands/command.hpp"

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
      {"models", "what a model file or folder holds", &models_command},
      {"env", "versions and machine, for bug reports", &env_command},
      {"help", "this list, or the options of a command", &help_command},
  };
  return commands;
}

int help_command(const arguments& args) {
  if (!args.empty() && args[0] != "--help" && args[0] != "-h") {
    const auto commands = all_commands();
    const auto at =
        std::find_if(commands.begin(), commands.end(), [&](const command& c) { return c.name == args[0]; });
    if (at == commands.end()) fail(status::usage, "no command \"", args[0], "\"; depthlens help lists them");
    if (at->name == "help") return help_command({});
    arguments rest(args.begin() + 1, args.end());
    rest.push_back("--help");
    return at->run(rest);
  }
  std::cout << "depthlens " DEPTHLENS_VERSION
               ": experiments on the depth of language models\n\n"
               "usage: depthlens COMMAND [OPTION...]\n\n";
  for (const command& c : all_commands())
    std::cout << "  " << c.name << std::string(10 - c.name.size(), ' ') << c.summary << '\n';
  std::cout << "\nExit codes: 0 done; 64 usage; 65 bad input file; 66 input not found;\n"
               "69 backend or plugin not available; 70 internal; 73 cannot create output;\n"
               "74 I/O; 75 stopped, run again to continue; 77 not allowed to read;\n"
               "78 folder belongs to another run.\n"
               "depthlens help COMMAND shows its options.\n";
  return 0;
}

}  // namespace depthlens
