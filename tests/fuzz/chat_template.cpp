// SPDX-License-Identifier: Apache-2.0
// A chat template, and a prompt through it: the first line is the prompt.
#include "fuzz/check.hpp"
#include "fuzz/targets.hpp"

#include "depthlens/chat/chat_template.hpp"

#include <string>

namespace depthlens::fuzz {

void chat_template(std::string_view input) {
  constexpr std::string_view label = "chat.jinja";
  const std::string_view prompt = input.substr(0, input.find('\n'));
  const std::string text = "[INST]" + std::string(input.substr(prompt.size()));  // of a known form
  const auto made = read_cleanly(label, text.size(), {.times = 512}, [&] {
    return depthlens::chat_template({text, std::string(label), "<s>", "</s>"});
  });
  if (!made) return;
  allow_refusal(label, [&] {
    promise(made->wrap(prompt) == made->wrap(prompt), "a template gives two texts for one prompt");
  });
}

}  // namespace depthlens::fuzz
