// SPDX-License-Identifier: Apache-2.0
// --chat: the chat template of an opened model. The template has the say about the BOS token, as in
// transformers: with --bos auto the tokenizer adds none, and the text as sent has it where the template
// writes it. With "always" the tokenizer adds it and the text has none, with "never" there is none.
#pragma once

#include "depthlens/chat/chat_template.hpp"
#include "model/opened_model.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace depthlens {

// How a tokenizer is to be opened.
constexpr bos_policy bos_of_tokenizer(bos_policy asked, bool chat) {
  return chat && asked == bos_policy::automatic ? bos_policy::never : asked;
}

// Immutable; any thread.
class model_chat {
 public:
  // The model's tokenizer has the policy bos_of_tokenizer(bos, true). Errors: status::data where the model
  // has no chat template that is known.
  model_chat(const opened_model& model, bos_policy bos);

  std::string_view form() const { return template_.form(); }
  const std::string& content_hash() const { return template_.content_hash(); }

  // The text that is sent for a prompt.
  std::string wrap(std::string_view prompt) const;

 private:
  std::string prefix_;  // the text of what the tokenizer puts in front
  chat_template template_;
};

// Null unless it is asked for. Tells the user which form the template has.
std::unique_ptr<model_chat> chat_of(const opened_model& model, bos_policy bos, bool asked);

}  // namespace depthlens
