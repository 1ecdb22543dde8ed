// SPDX-License-Identifier: Apache-2.0
// Where a model keeps its chat template: chat_template.jinja of its folder, or else "chat_template" of
// tokenizer_config.json (a text, or a list of named ones, of which "default" counts); a GGUF file has
// tokenizer.chat_template.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/json.hpp"
#include "depthlens/base/mapped_file.hpp"
#include "depthlens/chat/chat_template.hpp"
#include "depthlens/files/gguf.hpp"
#include "depthlens/tokenizer/folder_reader.hpp"
#include "depthlens/tokenizer/tokenizer.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace depthlens {

namespace detail {

// "bos_token": a text, or an added token with its "content".
inline std::optional<std::string> token_text(const json_view& config, std::string_view key) {
  const std::optional<json_view> at = config.find(key);
  if (!at) return std::nullopt;
  return std::string(at->is_string() ? at->as_string() : at->require_string("content"));
}

inline std::optional<std::string> named_template(const json_view& at) {
  if (at.is_string()) return std::string(at.as_string());
  for (std::size_t i = 0; i < at.as_array().size(); ++i)
    if (at.at(i).require_string("name") == "default") return std::string(at.at(i).require_string("template"));
  return std::nullopt;
}

}  // namespace detail

// Errors: status::data where there is none.
inline chat_template_text read_folder_template(const std::filesystem::path& folder) {
  chat_template_text out;
  const std::filesystem::path config = folder / "tokenizer_config.json",
                              file = folder / "chat_template.jinja";
  if (input_exists(config)) {
    const json_document document = json_document::from_file(config, detail::tokenizer_config_limits);
    const json_view root = document.root();
    out.bos = detail::token_text(root, "bos_token").value_or("");
    out.eos = detail::token_text(root, "eos_token").value_or("");
    if (const auto at = root.find("chat_template")) {
      out.text = detail::named_template(*at).value_or("");
      out.place = config.string() + ": chat_template";
    }
  }
  if (input_exists(file)) {
    const mapped_file opened(file);
    const auto bytes = opened.bytes();
    chat_template::check_size(bytes.size(), file.string());
    out.text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    out.place = file.string();
  }
  if (out.text.empty())
    fail(status::data, folder.string(), ": the model has no chat template: neither chat_template.jinja nor ",
         "\"chat_template\" in tokenizer_config.json, where one of several must be named default");
  return out;
}

inline chat_template_text read_gguf_template(const gguf_file& file, const tokenizer& tokens) {
  const auto text = file.find_string("tokenizer.chat_template");
  if (!text || text->empty())
    fail(status::data, file.path(), ": the model has no chat template: there is no tokenizer.chat_template");
  chat_template::check_size(text->size(), file.path() + ": tokenizer.chat_template");
  chat_template_text out{std::string(*text), file.path() + ": tokenizer.chat_template", {}, {}};
  if (tokens.bos()) out.bos = tokens.bytes(*tokens.bos());
  constexpr std::uint32_t most_ids = 1U << 30;
  if (const auto id = file.find_u32("tokenizer.ggml.eos_token_id"); id && *id < most_ids)
    out.eos = tokens.bytes(static_cast<std::int32_t>(*id));
  return out;
}

}  // namespace depthlens
