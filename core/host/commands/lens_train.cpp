// SPDX-License-Identifier: Apache-2.0
// depthlens lens train: a tuned lens for a model, from a text.
#include "commands/lens_commands.hpp"
#include "commands/train_request.hpp"
#include "terminal/stop_signal.hpp"
#include "training/lens_training.hpp"

#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

namespace depthlens {

int lens_train_command(const arguments& args) {
  std::optional<train_request> request = parse_train(args);
  if (!request) return 0;
  std::vector<std::filesystem::path> folders;
  for (const std::string& p : early_values(args, "--plugin-path")) folders.emplace_back(p);
  registry plugins(folders);
  catch_stop_signals();
  return execute_training(*std::move(request), plugins);
}

}  // namespace depthlens
