// SPDX-License-Identifier: Apache-2.0
// The parts of depthlens lens, each with its own options.
#pragma once

#include "commands/command.hpp"

namespace depthlens {

int lens_info_command(const arguments&);
int lens_eval_command(const arguments&);
int lens_train_command(const arguments&);
int lens_fit_jacobian_command(const arguments&);
int lens_merge_jacobian_command(const arguments&);

}  // namespace depthlens
