// SPDX-License-Identifier: Apache-2.0
// The training of a tuned lens, in a folder in which it can be stopped and continued.
#pragma once

#include "plugins/registry.hpp"
#include "training/train_request.hpp"

namespace depthlens {

// Reads the text (text_sequences), takes the folder (held_training), trains (training_course) and writes the
// lens (finished_lens). Returns the program's exit code; a stop that is asked for ends it after a step.
// Throws whatever the parts refuse. [main]
int execute_training(const train_request& request, registry& plugins);

}  // namespace depthlens
