// SPDX-License-Identifier: Apache-2.0
// A model's own chat template: which of the known forms it has, and a prompt as the one message of a user
// with the beginning of the answer behind it, which is what transformers' apply_chat_template gives for it
// with add_generation_prompt=True. The template itself is run (renderer.hpp), so a system message that it
// puts in front is there. Where it asks for today's date it gets a fixed one (texts.hpp).
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/base/hash.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/base/utf8.hpp"
#include "depthlens/chat/budget.hpp"
#include "depthlens/chat/parser.hpp"
#include "depthlens/chat/renderer.hpp"
#include "depthlens/chat/syntax.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace depthlens {

// As it stands in a model's files.
struct chat_template_text {
  std::string text;
  std::string place;     // "FILE: KEY", for errors
  std::string bos, eos;  // what bos_token and eos_token print; may be empty
};

// Immutable; any thread.
class chat_template {
 public:
  static constexpr std::size_t most_bytes = std::size_t{256} << 10;  // the longest known has 30 thousand

  // Errors: status::data for a template of no known form, or one that is not understood.
  explicit chat_template(chat_template_text from) : from_(std::move(from)) {
    check_size(from_.text.size(), from_.place);
    form_ = form_of(from_.text);
    if (form_.empty())
      fail(status::data, from_.place, " is of no known form (", known_forms, "); it begins ",
           printable(from_.text, 60));
    hash_ = sha256(std::as_bytes(std::span(from_.text)));
    told([&] { statements_ = chat::parse_template(from_.text); });
  }

  static constexpr std::string_view known_forms = "ChatML, Llama-3, Gemma, Mistral, gpt-oss";

  static void check_size(std::size_t bytes, const std::string& place) {
    if (bytes > most_bytes)
      fail(status::data, place, " has ", bytes, " bytes, expected at most ", most_bytes);
  }

  // Of the known forms; empty = none of them.
  static std::string_view form_of(std::string_view text) {
    const auto has = [&](std::string_view part) { return text.find(part) != std::string_view::npos; };
    if (has("<|im_start|>")) return "ChatML";
    if (has("<|start_header_id|>")) return "Llama-3";
    if (has("<start_of_turn>")) return "Gemma";
    if (has("<|start|>") && has("<|message|>")) return "gpt-oss";
    if (has("[INST]")) return "Mistral";
    return {};
  }

  std::string_view form() const { return form_; }
  const std::string& content_hash() const { return hash_; }  // SHA-256 of the template, hex

  // Errors: status::data where the template refuses the message, or does not show it.
  std::string wrap(std::string_view prompt) const {
    std::string out;
    told([&] {
      chat::renderer work{chat::budget(prompt.size())};
      const chat::value message(chat::value_dict{{"role", chat::value(std::string("user"))},
                                                 {"content", chat::value(std::string(prompt))}});
      work.set("messages", chat::value(chat::value_list{message}));
      work.set("add_generation_prompt", chat::value::of_bool(true));
      for (const char* absent : {"tools", "documents"}) work.set(absent, chat::value(chat::none{}));
      work.set("bos_token", chat::value(from_.bos));
      work.set("eos_token", chat::value(from_.eos));
      out = work.run(statements_);
      if (out.find(utf8_strip(prompt)) == std::string::npos)
        fail(status::data, "what it makes of a message does not hold the message");
    });
    return out;
  }

 private:
  template <class Work>
  void told(const Work& work) const {
    try {
      work();
    } catch (const error& e) {
      fail(e.code(), from_.place, " (", form_, "): ", e.what());
    }
  }

  chat_template_text from_;
  std::string_view form_;
  std::string hash_;
  chat::statement_list statements_;
};

}  // namespace depthlens
