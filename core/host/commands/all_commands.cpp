// SPDX-License-Identifier: Apache-2.0
// The commands of the program, in the order in which help lists them.
#include "commands/command.hpp"

namespace depthlens {

std::span<const command> all_commands() {
  static constexpr command commands[] = {
      {"run", "run experiments on a model: tables, figures, run.json", &run_command},
      {"plot", "draw the figures of a run again, from its CSVs", &plot_command},
      {"trace", "what a model would say after each layer of a prompt", &trace_command},
      {"bench", "how fast prompts are computed here, beside what the machine can do", &bench_command},
      {"tokens", "encode, decode and count tokens", &tokens_command},
      {"lens", "train or fit a lens, what one holds, how close it is to the output", &lens_command},
      {"plugins", "list backend and experiment plugins, and why any was refused", &plugins_command},
      {"models", "what a model file or folder holds; without one, those in the cache", &models_command},
      {"new", "a project of your own that builds an experiment plugin", &new_command},
      {"env", "versions and machine, for bug reports", &env_command},
      {"help", "this list, or the options of a command or an experiment", &help_command},
  };
  return commands;
}

}  // namespace depthlens
