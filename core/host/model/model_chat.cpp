// SPDX-License-Identifier: Apache-2.0
#include "model/model_chat.hpp"

#include "depthlens/chat/template_reader.hpp"
#include "terminal/log.hpp"

namespace depthlens {
namespace {

chat_template_text text_of(const opened_model& model, bos_policy bos) {
  const tokenizer_service& tokens = *model.tokens;
  const gguf_file* gguf = model.files->gguf();
  chat_template_text out =
      gguf != nullptr ? read_gguf_template(*gguf, tokens.get()) : read_folder_template(model.path);
  if (out.bos.empty() && tokens.get().bos()) out.bos = tokens.get().bytes(*tokens.get().bos());
  if (bos != bos_policy::automatic) out.bos.clear();
  return out;
}

}  // namespace

model_chat::model_chat(const opened_model& model, bos_policy bos)
    : prefix_(model.tokens->get().decode(model.tokens->prefix())), template_(text_of(model, bos)) {}

std::string model_chat::wrap(std::string_view prompt) const {
  std::string out = template_.wrap(prompt);
  // A template may have the token as plain text.
  if (!prefix_.empty() && out.starts_with(prefix_)) out.erase(0, prefix_.size());
  return out;
}

std::unique_ptr<model_chat> chat_of(const opened_model& model, bos_policy bos, bool asked) {
  if (!asked) return nullptr;
  auto out = std::make_unique<model_chat>(model, bos);
  log_info(cat("--chat: prompts are sent in the model's own chat template, of the form ", out->form()));
  return out;
}

}  // namespace depthlens
