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

trainable_backend open_trainable(registry& plugins, const opened_model& model,
                                 const std::string& word_or_auto, const backend_model::options& options) {
  if (word_or_auto != "auto") {
    const registry::backend backend = plugins.load_backend(word_or_auto);
    return {backend.about.word, std::make_unique<backend_model>(model, backend, options)};
  }
  std::string reasons;
  for (const registry::backend& backend : plugins.usable_backends()) {
    try {
      auto running = std::make_unique<backend_model>(model, backend, options);
      if (can_train(running->c())) return {backend.about.word, std::move(running)};
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
