// SPDX-License-Identifier: Apache-2.0
// A model on a backend that can train lenses for it.
#pragma once

#include "model/opened_model.hpp"
#include "plugins/registry.hpp"

#include <memory>
#include <string>

namespace depthlens {

struct trainable_backend {
  std::string word;
  std::unique_ptr<backend_model> model;
};

// Throws where the backend of that name is not here or cannot run; does nothing for "auto". Asked before a
// long text is read.
void require_trainable(registry& plugins, const std::string& word_or_auto);

// By word, or the best that can train for "auto": which one can is known once it holds the model, so they are
// asked in the order of their scores. Throws what choose_backend and backend_model throw; unavailable, with
// each reason, where none can. A backend that is named is not asked whether it can: backend_trainer says so.
trainable_backend open_trainable(registry& plugins, const opened_model& model,
                                 const std::string& word_or_auto, const backend_model::options& options);

}  // namespace depthlens
