// SPDX-License-Identifier: Apache-2.0
// The model that a command line names, and how it is to be computed.
#pragma once

#include "commands/command.hpp"
#include "model/opened_model.hpp"
#include "model/work_rules.hpp"

namespace depthlens {

// From --backend, --device, --precision, --threads and --skip-check; from --window, --pack-tokens and
// --sharing where the command has them.
work_rules asked_rules(const parsed_options& options);

// --model with --bos and --ignore-config. Throws what opened_model::open throws.
opened_model open_asked_model(const parsed_options& options);

}  // namespace depthlens
