// SPDX-License-Identifier: Apache-2.0
// depthlens run: what the command line asks for, executed.
#include "commands/run_options.hpp"
#include "process/stop_signal.hpp"
#include "run/run_session.hpp"
#include "run/shard_run.hpp"

#include <utility>

namespace depthlens {

int run_command(const arguments& args) {
  catch_stop_signals();
  registry plugins = plugins_for(args);
  run_request request;
  if (!parse_run(args, plugins, request)) return 0;  // help was asked for
  refuse_folder_of_shard(request.out);
  if (request.shard) return execute_shard(std::move(request), plugins);
  if (!request.fresh && !request.dry_run) refuse_unmerged(request.out);
  return execute_run(std::move(request), plugins);
}

}  // namespace depthlens
