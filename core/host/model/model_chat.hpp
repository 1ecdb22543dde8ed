// SPDX-License-Identifier: Apache-2.0
// --chat: the chat template of an opened model, as its tokenizer is used.
#pragma once

#include "depthlens/chat/chat_template.hpp"
#include "model/opened_model.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace depthlens {

// Immutable; any thread.
class model_chat {
 public:
  // Errors: status::data where the model has no chat template that is known.
  explicit model_chat(const opened_model& model);

  std::string_view form() const { return template_.form(); }
  const std::string& content_hash() const { return template_.content_hash(); }

  // The text that is sent for a prompt, without the BOS token that the tokenizer adds itself.
  std::string wrap(std::string_view prompt) const;

 private:
  std::string prefix_;  // the text of what the tokenizer puts in front
  chat_template template_;
};

// Null unless it is asked for. Tells the user which form the template has.
std::unique_ptr<model_chat> chat_of(const opened_model& model, bool asked);

}  // namespace depthlens
