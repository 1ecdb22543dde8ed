// SPDX-License-Identifier: Apache-2.0
// depthlens shard: a run is planned for several processes.
#include "commands/run_options.hpp"
#include "process/stop_signal.hpp"
#include "run/shard_planning.hpp"

#include <utility>

namespace depthlens {

int shard_command(const arguments& args) {
  catch_stop_signals();
  namespace po = boost::program_options;
  run_like_command command{
      .usage =
          "usage: depthlens shard EXPERIMENT... --n N --model M --out DIR [OPTION of run...]\n\n"
          "Plans a run for N processes, each of which computes one shard of it by\n"
          "  depthlens run EXPERIMENT... --out DIR ... --shard I/N      (or --shard auto)\n"
          "and depthlens merge DIR makes the tables of all. Nothing is computed.\n",
      .options = po::options_description("Options of shard"),
      .own = {"--n", "--write"}};
  command.options.add_options()("n", po::value<std::string>()->value_name("N"), "how many shards")(
      "write", po::value<std::string>()->value_name("ENGINE"),
      "print a job file, filled in: slurm, hyperqueue, parallel, snakemake, nextflow or kubernetes");
  registry plugins = plugins_for(args);
  run_request request;
  parsed_options values;
  if (!parse_run_like(args, plugins, command, request, values)) return 0;
  if (!values.has("n")) fail(status::usage, "shard needs --n: how many shards");
  if (request.shard) fail(status::usage, "--shard is for run: shard plans them all");
  if (request.dry_run) fail(status::usage, "--dry-run is for run: shard computes nothing");
  const planning_request planning{.shards = parse_number("n", values.text("n"), 1, most_shards),
                                  .engine = values.text("write")};
  return plan_shards(std::move(request), planning, plugins);
}

}  // namespace depthlens
