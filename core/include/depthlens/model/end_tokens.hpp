// SPDX-License-Identifier: Apache-2.0
// The tokens with which a model says that its text is at an end.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "depthlens/base/io_error.hpp"
#include "depthlens/base/json.hpp"
#include "depthlens/model/model_files.hpp"

namespace depthlens {
namespace detail {

// "eos_token_id" of a document, a number or several; empty where it has none.
inline std::vector<std::int32_t> end_tokens_in(const std::filesystem::path& file) {
  std::vector<std::int32_t> out;
  if (!input_exists(file)) return out;
  const json_document document = json_document::from_file(file, {.max_bytes = 1u << 20});
  auto ends = document.root().find("eos_token_id");
  if (const auto text = document.root().find("text_config"); !ends && text && text->is_object())
    ends = text->find("eos_token_id");
  if (!ends) return out;
  const auto add = [&](const boost::json::value& v) {
    const std::uint64_t id = json_view(v, ends->label(), ends->path()).as_u64();
    if (id > INT32_MAX) fail(status::data, file.string(), ": eos_token_id = ", id, " is no token id");
    out.push_back(static_cast<std::int32_t>(id));
  };
  if (!ends->value().is_array()) {
    add(ends->value());
    return out;
  }
  for (const boost::json::value& v : ends->as_array()) add(v);
  return out;
}

}  // namespace detail

// As generation_config.json says, else config.json; of a GGUF file the ends of texts, of turns and of
// messages. Empty where the files do not say. Errors: status::data for what is no id.
inline std::vector<std::int32_t> end_tokens(const model_files& files) {
  if (files.gguf() == nullptr) {
    std::vector<std::int32_t> out = detail::end_tokens_in(files.path() / "generation_config.json");
    return out.empty() ? detail::end_tokens_in(files.path() / "config.json") : out;
  }
  constexpr std::uint64_t none = 0xffffffff;  // -1 to the programs that write it
  std::vector<std::int32_t> out;
  for (const char* key :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    const std::optional<std::uint64_t> id = files.gguf()->find_u64(key);
    if (!id || *id == none) continue;
    if (*id > INT32_MAX) fail(status::data, files.path().string(), ": ", key, " = ", *id, " is no token id");
    out.push_back(static_cast<std::int32_t>(*id));
  }
  return out;
}

}  // namespace depthlens
