// SPDX-License-Identifier: Apache-2.0
// A model on a backend that can do for lenses what not every backend does: train or fit them.
#pragma once

#include "model/running_model.hpp"
#include "plugins/registry.hpp"

#include <memory>
#include <string>

namespace depthlens {

struct backend_ability {
  bool (*of)(const dlens_model*);
  const char *command, *words;  // "lens train", "train lenses"
};

// Throws where the backend of that name is not here or cannot run; does nothing for "auto". Asked before a
// long text is read.
void require_backend(registry& plugins, const std::string& word_or_auto, const backend_ability& can);

// By the word in `rules`, or the best that can for "auto": which one can is known once it holds the model, so
// they are asked in the order of their scores. The model is loaded and not checked yet. Throws what
// load_backend and running_model throw; unavailable, with each reason, where none can. [main]
std::unique_ptr<running_model> load_backend_that(registry& plugins, const opened_model& model,
                                                 const work_rules& rules, const backend_ability& can);

}  // namespace depthlens
