// SPDX-License-Identifier: Apache-2.0
#include "training/trainable_backend.hpp"

#include "training/backend_trainer.hpp"

namespace depthlens {

void require_trainable(registry& plugins, const std::string& word_or_auto) {
  if (word_or_auto == "auto") return;  // which one can train is known with the model
  try {
    plugins.load_backend(word_or_auto);
  } catch (const error& e) {
    fail(e.code(), "lens train needs a backend that can train, as torch does: ", e.what());
  }
}

std::unique_ptr<running_model> load_trainable(registry& plugins, const opened_model& model,
                                              const work_rules& rules) {
  if (rules.backend != "auto") {
    auto running = std::make_unique<running_model>(model, plugins.load_backend(rules.backend), rules);
    refuse_untrainable(running->c(), running->backend());
    return running;
  }
  std::string reasons;
  for (const registry::backend& backend : plugins.usable_backends()) {
    try {
      auto running = std::make_unique<running_model>(model, backend, rules);
      if (can_train(running->c())) return running;
      reasons += cat("; ", backend.about.word, " cannot train");
    } catch (const error& e) {
      reasons += cat("; ", backend.about.word, ": ", e.what());
    }
  }
  fail(status::unavailable,
       "no backend here can train lenses: training needs the torch backend, which is built with ",
       "-DDEPTHLENS_TORCH=ON", reasons);
}

}  // namespace depthlens
