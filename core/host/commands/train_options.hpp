// SPDX-License-Identifier: Apache-2.0
// The command line of `depthlens lens train`.
#pragma once

#include "commands/command.hpp"
#include "training/train_request.hpp"

#include <optional>

namespace depthlens {

// Empty where help was printed instead. Errors: status::usage.
std::optional<train_request> parse_train(const arguments& args);

}  // namespace depthlens
