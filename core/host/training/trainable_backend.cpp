// SPDX-License-Identifier: Apache-2.0
#include "training/trainable_backend.hpp"

namespace depthlens {

void require_backend(registry& plugins, const std::string& word_or_auto, const backend_ability& can) {
  if (word_or_auto == "auto") return;  // which one can is known with the model
  try {
    plugins.load_backend(word_or_auto);
  } catch (const error& e) {
    fail(e.code(), can.command, " needs a backend that can ", can.words, ", as torch does: ", e.what());
  }
}

std::unique_ptr<running_model> load_backend_that(registry& plugins, const opened_model& model,
                                                 const work_rules& rules, const backend_ability& can) {
  constexpr const char *needs = "this needs the torch backend", *built = "is built with -DDEPTHLENS_TORCH=ON";
  if (rules.backend != "auto") {
    auto running = std::make_unique<running_model>(model, plugins.load_backend(rules.backend), rules);
    if (!can.of(running->c()))
      fail(status::unavailable, "backend ", running->backend(), " cannot ", can.words, ": ", needs,
           " (--backend torch), which ", built);
    return running;
  }
  std::string reasons;
  for (const registry::backend& backend : plugins.usable_backends()) {
    try {
      auto running = std::make_unique<running_model>(model, backend, rules);
      if (can.of(running->c())) return running;
      reasons += cat("; ", backend.about.word, " cannot");
    } catch (const error& e) {
      reasons += cat("; ", backend.about.word, ": ", e.what());
    }
  }
  fail(status::unavailable, "no backend here can ", can.words, ": ", needs, ", which ", built, reasons);
}

}  // namespace depthlens
