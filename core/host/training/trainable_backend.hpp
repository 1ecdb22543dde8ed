// SPDX-License-Identifier: Apache-2.0
// A model on a backend that can train lenses for it.
#pragma once

#include "model/running_model.hpp"
#include "plugins/registry.hpp"

#include <memory>
#include <string>

namespace depthlens {

// Throws where the backend of that name is not here or cannot run; does nothing for "auto". Asked before a
// long text is read.
void require_trainable(registry& plugins, const std::string& word_or_auto);

// By the word in `rules`, or the best that can train for "auto": which one can is known once it holds the
// model, so they are asked in the order of their scores. The model is loaded and not checked yet. Throws what
// load_backend and running_model throw; unavailable, with each reason, where none can. [main]
std::unique_ptr<running_model> load_trainable(registry& plugins, const opened_model& model,
                                              const work_rules& rules);

}  // namespace depthlens
