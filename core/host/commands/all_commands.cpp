// SPDX-License-Identifier: Apache-2.0
// The commands of the program, in the order in which help lists them.
#include "commands/command.hpp"

namespace depthlens {

std::span<const command> all_commands() {
  static constexpr command commands[] = {
      {"run", "run experiments on a model: tables, figures, run.json", &run_command},
      {"plot", "draw the figures of a run again, from its CSVs", &plot_command},
      {"report", "a run as one page: figures, summary tables, data, settings", &report_command},
      {"shard", "plan a run for several processes, or a job file of a cluster for it", &shard_command},
      {"status", "how far a run or its shards are, what runs where, what failed", &status_command},
      {"merge", "tables and figures of shards, as one process would have made them", &merge_command},
      {"verify", "recompute some rows of a run and look at all its tables", &verify_command},
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
