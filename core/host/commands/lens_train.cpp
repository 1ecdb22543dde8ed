// SPDX-License-Identifier: Apache-2.0
// depthlens lens train: a tuned lens for a model, from a text.
#include "commands/lens_commands.hpp"
#include "commands/train_options.hpp"
#include "process/stop_signal.hpp"
#include "results/manifest.hpp"
#include "training/backend_trainer.hpp"
#include "training/lens_training.hpp"

#include <optional>
#include <utility>

namespace depthlens {

int lens_train_command(const arguments& args) {
  std::optional<train_request> request = parse_train(args);
  if (!request) return 0;
  const arguments folders = early_values(args, "--plugin-path");
  registry plugins({folders.begin(), folders.end()});
  const bool done = !request->fresh && is_complete(manifest::read(request->out / "run.json").fields);
  if (!done) require_backend(plugins, request->work.backend, training_ability);
  catch_stop_signals();
  return execute_training(*request, plugins);
}

}  // namespace depthlens
