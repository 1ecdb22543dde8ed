// SPDX-License-Identifier: Apache-2.0
// The tokenizer of a model folder that has vocab.json and merges.txt instead of tokenizer.json: byte-level
// BPE as Hugging Face's GPT2Tokenizer, CodeGenTokenizer, Qwen2Tokenizer and Qwen3_5Tokenizer read it. How
// text is cut follows tokenizer_class of tokenizer_config.json, else model_type of config.json. Special
// tokens come from tokenizer_config.json, special_tokens_map.json and added_tokens.json. What these files
// leave open is refused by name.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/json.hpp"
#include "depthlens/base/mapped_file.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/tokenizer/json_reader.hpp"
#include "depthlens/tokenizer/parts.hpp"
#include "depthlens/tokenizer/pretokenizer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens {

namespace detail {

inline constexpr json_limits tokenizer_config_limits{std::size_t{16} << 20, std::size_t{1} << 20};

// The files beside vocab.json that say something about it; all may be absent.
struct tokenizer_settings {
  explicit tokenizer_settings(const std::filesystem::path& folder) {
    const auto open = [&](const char* name) -> std::optional<json_document> {
      const std::filesystem::path path = folder / name;
      if (!input_exists(path)) return std::nullopt;
      return json_document::from_file(path, tokenizer_config_limits);
    };
    model = open("config.json");
    tokenizer = open("tokenizer_config.json");
    special = open("special_tokens_map.json");
    added = open("added_tokens.json");
  }

  static std::string_view text(const std::optional<json_document>& file, std::string_view key) {
    return file ? file->root().find_string(key).value_or("") : std::string_view();
  }
  std::optional<bool> flag(std::string_view key) const {
    return tokenizer ? tokenizer->root().find_bool(key) : std::nullopt;
  }

  std::optional<json_document> model, tokenizer, special, added;
};

// How such a folder cuts text: "gpt-2", "qwen2" or "qwen35".
inline std::string_view folder_family(const tokenizer_settings& files, const std::filesystem::path& folder) {
  std::string_view name = files.text(files.tokenizer, "tokenizer_class");
  if (name.ends_with("Fast")) name.remove_suffix(4);
  if (name == "GPT2Tokenizer" || name == "CodeGenTokenizer") return "gpt-2";
  if (name == "Qwen2Tokenizer") return "qwen2";
  if (name == "Qwen3_5Tokenizer") return "qwen35";
  if (!name.empty() && name != "PreTrainedTokenizer" && name != "TokenizersBackend") {
    refuse(files.tokenizer->root(), "vocab.json and merges.txt with tokenizer_class", name);
  }
  const std::string_view model = files.text(files.model, "model_type");
  for (const std::string_view known : {"gpt2", "gpt_neo", "gptj", "opt", "phi", "codegen"})
    if (model == known) return "gpt-2";
  for (const std::string_view known : {"qwen2", "qwen2_moe", "qwen3", "qwen3_moe"})
    if (model == known) return "qwen2";
  for (const std::string_view known : {"qwen3_5", "qwen3_5_moe", "qwen3_5_text", "qwen3_5_moe_text"})
    if (model == known) return "qwen35";
  fail(status::data, folder.string(),
       ": vocab.json and merges.txt do not say how text is cut into words, and ",
       "neither tokenizer_class in tokenizer_config.json nor model_type ", printable(model),
       " in config.json tells; tokenizer.json does");
}

inline added_token token_with_flags(const json_view& at, bool special) {
  const std::string_view text = at.require_string("content");
  if (text.empty() || text.size() > max_added_token) {
    fail(status::data, at.place(), "content of ", text.size(), " bytes, expected 1..", max_added_token);
  }
  const auto flag = [&](const char* key) { return at.find_bool(key).value_or(false); };
  return {.content = std::string(text),
          .special = special,
          .single_word = flag("single_word"),
          .lstrip = flag("lstrip"),
          .rstrip = flag("rstrip"),
          .normalized = at.find_bool("normalized").value_or(!special)};
}

// A special token: its text, or an object.
inline added_token special_token(const json_view& at) {
  if (at.is_object()) return token_with_flags(at, true);
  const std::string_view text = at.as_string();
  if (text.empty() || text.size() > max_added_token) {
    fail(status::data, at.place(), "a token of ", text.size(), " bytes, expected 1..", max_added_token);
  }
  return {0, std::string(text), true};
}

// The special tokens by role, in the order in which new ones get their ids.
struct special_roles {
  static constexpr std::array names = {"bos_token", "eos_token", "unk_token", "sep_token",
                                       "pad_token", "cls_token", "mask_token"};
  std::array<std::optional<added_token>, names.size()> named;
  std::vector<added_token> further;

  const std::optional<added_token>& bos() const { return named[0]; }
  const std::optional<added_token>& eos() const { return named[1]; }

  std::set<std::string, std::less<>> texts() const {
    std::set<std::string, std::less<>> out;
    for (const auto& token : named)
      if (token) out.insert(token->content);
    for (const added_token& token : further) out.insert(token.content);
    return out;
  }
};

// Takes the roles that a file names; null means there is none.
inline void read_roles(special_roles& roles, const json_view& file) {
  for (std::size_t i = 0; i < roles.names.size(); ++i) {
    if (!file.as_object().contains(roles.names[i])) continue;
    const auto token = file.find(roles.names[i]);
    roles.named[i] = token ? std::optional(special_token(*token)) : std::nullopt;
  }
  for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
    const auto list = file.find(key);
    if (!list || (list->is_object() && list->as_object().empty())) continue;
    roles.further.clear();
    for (std::size_t i = 0; i < list->as_array().size(); ++i)
      roles.further.push_back(special_token(list->at(i)));
  }
}

inline special_roles folder_roles(const tokenizer_settings& files, std::string_view family) {
  const added_token end{0, "<|endoftext|>", true};
  special_roles roles;
  roles.named[1] = roles.named[2] = end;
  roles.named[family == "gpt-2" ? 0 : 4] = end;
  if (files.tokenizer) read_roles(roles, files.tokenizer->root());
  const bool complete = files.tokenizer && files.tokenizer->root().find("added_tokens_decoder");
  if (files.special && !complete) read_roles(roles, files.special->root());
  return roles;
}

inline std::int32_t added_id(std::uint64_t id, const std::string& place) {
  if (id >= max_tokens) fail(status::data, place, "id ", id, ", expected less than ", max_tokens);
  return static_cast<std::int32_t>(id);
}

// added_tokens_decoder of tokenizer_config.json ({"50257": {"content", ...}}), else added_tokens.json
// ({"text": id}).
inline std::vector<added_token> listed_tokens(const tokenizer_settings& files, const special_roles& roles) {
  std::vector<added_token> out;
  const auto special_texts = roles.texts();
  const auto decoder =
      files.tokenizer ? files.tokenizer->root().find("added_tokens_decoder") : std::optional<json_view>();
  if (decoder) {
    for (const auto& member : decoder->as_object()) {
      const std::string_view key(member.key().data(), member.key().size());
      std::uint64_t id = 0;
      const auto end = std::from_chars(key.data(), key.data() + key.size(), id);
      if (key.empty() || end.ec != std::errc() || end.ptr != key.data() + key.size())
        fail(status::data, decoder->place(), printable(key), ", expected a token id");
      const json_view at = decoder->require(key);
      out.push_back(token_with_flags(at, at.find_bool("special").value_or(false)));
      out.back().id = added_id(id, at.place());
      if (special_texts.contains(out.back().content)) out.back().special = true;
    }
  } else if (files.added) {
    const json_view root = files.added->root();
    for (const auto& member : root.as_object()) {
      const std::string_view text(member.key().data(), member.key().size());
      if (text.empty() || text.size() > max_added_token)
        fail(status::data, root.place(), "a token of ", text.size(), " bytes");
      const bool special = special_texts.contains(text);
      out.push_back({.id = added_id(root.require_u64(text), root.place()),
                     .content = std::string(text),
                     .special = special,
                     .normalized = !special});
    }
  }
  return out;
}

// The listed tokens and the special ones that are not among them: with their id in the vocabulary, or the
// next one.
inline std::vector<added_token> folder_added_tokens(const tokenizer_settings& files,
                                                    const special_roles& roles, const json_view& vocab) {
  std::vector<added_token> out = listed_tokens(files, roles);
  std::set<std::string, std::less<>> seen;
  std::uint64_t next = vocab.as_object().size();
  for (const added_token& t : out) {
    seen.insert(t.content);
    next += !vocab.as_object().contains(t.content);
  }
  const auto add = [&](added_token token) {
    if (!seen.insert(token.content).second) return;
    const auto id = vocab.find_u64(token.content);
    token.id = added_id(id ? *id : next, vocab.place());
    next += !id;
    out.push_back(std::move(token));
  };
  for (const auto& token : roles.named)
    if (token) add(*token);
  for (const added_token& token : roles.further) add(token);
  return out;
}

// Lines "left right"; lines that start with "#version" are none. As transformers reads it for GPT-2, the
// first line is none either, whatever it says, nor is what stands behind the last line break.
inline void read_merges_file(tokenizer_parts& parts, const std::filesystem::path& path,
                             std::string_view family) {
  const mapped_file file(path);
  std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  merge_reader reader(parts);
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const bool dropped = family == "gpt-2" && (number == 1 || end == text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (dropped) continue;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with("#version") || (line.empty() && text.empty())) continue;
    reader.add(line, [&] { return cat(file.path(), ":", number, ": "); });
  }
}

inline std::int32_t id_of_added(const tokenizer_parts& parts, const added_token& token) {
  const auto at = std::find_if(parts.added.begin(), parts.added.end(),
                               [&](const added_token& t) { return t.content == token.content; });
  return at->id;
}

// BOS and EOS around a text, where tokenizer_config.json says so.
inline void read_folder_frame(tokenizer_parts& parts, const tokenizer_settings& files,
                              const special_roles& roles) {
  const auto bos = files.flag("add_bos_token");
  if (!bos && files.text(files.model, "model_type") == "opt") {
    fail(status::data, files.model->root().place(), "is an OPT model, but no tokenizer_config.json says ",
         "add_bos_token: whether a BOS stands in front of a text cannot be known");
  }
  if (roles.bos()) parts.bos = id_of_added(parts, *roles.bos());
  if (bos.value_or(false) && roles.bos()) parts.prefix = {*parts.bos};
  if (files.flag("add_eos_token").value_or(false) && roles.eos())
    parts.suffix = {id_of_added(parts, *roles.eos())};
}

inline void read_folder_cuts(tokenizer_parts& parts, const tokenizer_settings& files,
                             std::string_view family) {
  const bool blank = files.flag("add_prefix_space").value_or(false);
  if (family != "gpt-2") {
    if (blank) refuse(files.tokenizer->root(), "with a Qwen tokenizer, option", "add_prefix_space");
    parts.normalizer.push_back({normalizer_step::kind::nfc, {}, {}});
    parts.splits.push_back({std::string(family == "qwen2" ? split_patterns::qwen2 : split_patterns::qwen35)});
  } else {
    if (blank) parts.preparation.push_back({normalizer_step::kind::prepend_once, {}, " "});
    parts.splits.push_back({std::string(split_patterns::gpt2)});
  }
  if (files.flag("split_special_tokens").value_or(false))
    refuse(files.tokenizer->root(), "option", "split_special_tokens");
}

// Finds where tokenizer_config.json says otherwise than tokenizer.json about what is put around a text. Which
// of the two transformers follows differs from one tokenizer_class to the other.
inline void compare_with_settings(tokenizer_parts& parts, const std::filesystem::path& path) {
  const auto puts_in_front = [](const std::vector<normalizer_step>& steps) {
    using kind = normalizer_step::kind;
    return std::any_of(steps.begin(), steps.end(), [](const normalizer_step& s) {
      return s.what == kind::prepend || s.what == kind::prepend_once || s.what == kind::prepend_first;
    });
  };
  const bool blank = puts_in_front(parts.normalizer) || puts_in_front(parts.preparation);
  try {
    const json_document settings = json_document::from_file(path, tokenizer_config_limits);
    std::string contradictions;
    const auto compare = [&](const char* key, bool does) {
      if (settings.root().find_bool(key).value_or(does) == does) return;
      contradictions += cat(contradictions.empty() ? "" : ", ", key, " is ", does ? "false" : "true");
    };
    compare("add_bos_token", !parts.prefix.empty());
    compare("add_eos_token", !parts.suffix.empty());
    compare("add_prefix_space", blank);
    if (contradictions.empty()) return;
    parts.doubts.push_back(
        cat(path.string(), ": ", contradictions, ", but tokenizer.json says otherwise, and is what counts"));
  } catch (const error& e) {
    parts.doubts.push_back(cat(e.what(), "; tokenizer.json is what counts"));
  }
}

}  // namespace detail

// Errors: data; those of mapped_file.
inline tokenizer_parts read_vocab_and_merges(const std::filesystem::path& folder) {
  const detail::tokenizer_settings files(folder);
  const std::string_view family = detail::folder_family(files, folder);
  const json_document document =
      json_document::from_file(folder / "vocab.json", detail::tokenizer_json_limits);
  const json_view vocab = document.root();
  const detail::special_roles roles = detail::folder_roles(files, family);
  tokenizer_parts parts;
  parts.file = folder.string();
  parts.kind = cat("byte-level BPE (", family, ")");
  detail::read_folder_cuts(parts, files, family);
  parts.added = detail::folder_added_tokens(files, roles, vocab);
  const std::string place = cat(parts.file, ": added tokens: ");
  detail::add_json_tokens(parts, detail::collect_tokens(vocab, parts.added, place));
  detail::read_merges_file(parts, folder / "merges.txt", family);
  detail::read_folder_frame(parts, files, roles);
  return parts;
}

// The tokenizer of a model folder: tokenizer.json, or vocab.json with merges.txt. Errors: no_input where
// there is neither; data; those of mapped_file.
inline tokenizer_parts read_folder_tokenizer(const std::filesystem::path& folder) {
  const auto has = [&](const char* name) { return input_exists(folder / name); };
  if (has("tokenizer.json")) {
    tokenizer_parts parts = read_tokenizer_json(folder / "tokenizer.json");
    if (has("tokenizer_config.json")) detail::compare_with_settings(parts, folder / "tokenizer_config.json");
    return parts;
  }
  if (has("vocab.json") && has("merges.txt")) return read_vocab_and_merges(folder);
  fail(status::no_input, folder.string(), ": no tokenizer.json, and no vocab.json with merges.txt",
       has("tokenizer.model") ? "; tokenizer.model is not read, tokenizer.json can be made from it" : "");
}

}  // namespace depthlens
