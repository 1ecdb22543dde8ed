// SPDX-License-Identifier: Apache-2.0
// A Hugging Face tokenizer.json as tokenizer_parts: model "BPE", byte-level or with byte_fallback, merges as
// strings or as pairs. Every id from 0 to the highest must have exactly one token. "truncation" and "padding"
// are settings of a past call and are not followed.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/base/json.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/tokenizer/json_components.hpp"
#include "depthlens/tokenizer/parts.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens {

namespace detail {

// The largest published files have 34 MB and 2.5 million values.
inline constexpr json_limits tokenizer_json_limits{std::size_t{256} << 20, std::size_t{16} << 20};

// A token of the file, by id.
struct json_token {
  std::string_view text;  // views the document
  bool present = false;
  bool in_model = false;
  bool added = false;
};

inline json_token& token_slot(std::vector<json_token>& tokens, std::uint64_t id, const std::string& place,
                              std::string_view text) {
  if (id >= tokens.size()) {
    fail(status::data, place, "token ", printable(text), " has id ", id, ", but there are ", tokens.size(),
         " tokens: ids must be 0..", tokens.size() - 1, " without gaps");
  }
  return tokens[static_cast<std::size_t>(id)];
}

inline std::vector<added_token> read_added_tokens(const json_view& root) {
  std::vector<added_token> out;
  const auto list = root.find("added_tokens");
  if (!list) return out;
  if (list->as_array().size() > max_tokens)
    fail(status::data, list->place(), "more than ", max_tokens, " tokens");
  for (std::size_t i = 0; i < list->as_array().size(); ++i) {
    const json_view at = list->at(i);
    only_members(at, {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    const std::string_view text = at.require_string("content");
    if (text.empty() || text.size() > max_added_token) {
      fail(status::data, at.place(), "content of ", text.size(), " bytes, expected 1..", max_added_token);
    }
    const auto flag = [&](const char* key) { return at.find_bool(key).value_or(false); };
    const std::uint64_t id = at.require_u64("id");
    if (id >= max_tokens) fail(status::data, at.place(), "id ", id, ", expected less than ", max_tokens);
    const bool special = flag("special");
    out.push_back({.id = static_cast<std::int32_t>(id),
                   .content = std::string(text),
                   .special = special,
                   .single_word = flag("single_word"),
                   .lstrip = flag("lstrip"),
                   .rstrip = flag("rstrip"),
                   .normalized = at.find_bool("normalized").value_or(!special)});
  }
  return out;
}

// The tokens of a vocabulary (an object of ids by token) and the added ones by id, dense. `added_place`
// starts an error about an added one.
inline std::vector<json_token> collect_tokens(const json_view& vocab, const std::vector<added_token>& added,
                                              const std::string& added_place) {
  const auto& object = vocab.as_object();
  std::size_t count = object.size();
  for (const added_token& t : added) count += !object.contains(t.content);
  if (count == 0 || count > max_tokens)
    fail(status::data, vocab.place(), count, " tokens, expected 1..", max_tokens);
  std::vector<json_token> tokens(count);
  const std::string vocab_place = vocab.place();
  for (const auto& member : object) {
    const std::string_view text(member.key().data(), member.key().size());
    // A view with its place costs a string; it is only made where there is something to say.
    const bool plain = member.value().is_int64() && member.value().get_int64() >= 0;
    const std::uint64_t id =
        plain ? static_cast<std::uint64_t>(member.value().get_int64()) : vocab.require_u64(text);
    json_token& t = token_slot(tokens, id, vocab_place, text);
    if (t.present) {
      fail(status::data, vocab_place, "tokens ", printable(t.text), " and ", printable(text),
           " have the same id ", id);
    }
    t = {text, true, true, false};
  }
  for (const added_token& a : added) {
    json_token& t = token_slot(tokens, static_cast<std::uint64_t>(a.id), added_place, a.content);
    if (t.added || (t.present && t.text != a.content)) {
      fail(status::data, added_place, "tokens ", printable(t.text), " and ", printable(a.content),
           " have the same id ", a.id);
    }
    t = {a.content, true, t.in_model, true};
  }
  return tokens;  // as many as different texts, each with an id of its own: there is no gap
}

inline std::uint8_t hex_byte_of_piece(std::string_view piece, bool& is_byte) {
  const int high = piece.size() == 6 ? hex_value(piece[3]) : -1,
            low = piece.size() == 6 ? hex_value(piece[4]) : -1;
  is_byte = high >= 0 && low >= 0 && piece == byte_piece(static_cast<unsigned>(high * 16 + low));
  return is_byte ? static_cast<std::uint8_t>(high * 16 + low) : std::uint8_t{0};
}

// Fills pieces, surface, special and the index.
inline void add_json_tokens(tokenizer_parts& parts, const std::vector<json_token>& tokens) {
  bpe_vocabulary& v = parts.vocabulary;
  const bool bytes = v.units == bpe_vocabulary::unit_kind::bytes;
  std::vector<std::uint8_t> reachable(tokens.size());
  std::string text;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const json_token& t = tokens[i];
    text.clear();
    const bool written = bytes && byte_alphabet::get().append_bytes(text, t.text);
    if (!written) text.assign(t.text);
    reachable[i] = t.in_model && (written || !bytes) && !text.empty();
    v.pieces.push(text);
    bool is_byte = false;
    const std::uint8_t byte = bytes || t.added ? std::uint8_t{0} : hex_byte_of_piece(t.text, is_byte);
    if (t.added) {
      text.assign(t.text);
    } else if (is_byte) {
      text.assign(1, static_cast<char>(byte));
    } else if (!bytes) {
      replace_all(text, std::string(metaspace), " ");
    }
    parts.surface.push(text);
  }
  parts.special.resize(tokens.size());
  for (const added_token& a : parts.added) parts.special[static_cast<std::size_t>(a.id)] = a.special;
  index_pieces(v, reachable, parts.file);
  if (bytes) {
    find_single_bytes(v, parts.file);
  } else {
    find_byte_pieces(v, v.index, parts.file);
  }
}

// Adds merges as they are written in files, one after the other. place() starts an error.
class merge_reader {
 public:
  explicit merge_reader(tokenizer_parts& parts) : parts_(parts) {}

  template <class Place>
  void add(std::string_view l, std::string_view r, const Place& place) {
    left_.assign(l);
    right_.assign(r);
    if (parts_.vocabulary.units == bpe_vocabulary::unit_kind::bytes) {
      left_.clear();
      right_.clear();
      const auto& alphabet = byte_alphabet::get();
      if (!alphabet.append_bytes(left_, l) || !alphabet.append_bytes(right_, r)) {
        fail(status::data, place(), "has a character that no byte-level token has");
      }
    }
    add_merge(parts_.vocabulary, left_, right_, buffer_, parts_.file);
  }

  // "left right"
  template <class Place>
  void add(std::string_view text, const Place& place) {
    const std::size_t blank = text.find(' ');
    if (blank == std::string_view::npos || text.find(' ', blank + 1) != std::string_view::npos) {
      fail(status::data, place(), printable(text), ", expected two tokens with a blank between");
    }
    add(text.substr(0, blank), text.substr(blank + 1), place);
  }

 private:
  tokenizer_parts& parts_;
  std::string left_, right_, buffer_;
};

// Each merge is "a b", or ["a", "b"].
inline void read_json_merges(tokenizer_parts& parts, const json_view& merges) {
  const auto& list = merges.as_array();
  parts.vocabulary.merges.reserve(list.size());
  merge_reader reader(parts);
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto place = [&] { return merges.at(i).place(); };
    if (list[i].is_string()) {
      reader.add({list[i].get_string().data(), list[i].get_string().size()}, place);
    } else {
      const json_view pair = merges.at(i);
      if (pair.as_array().size() != 2) fail(status::data, pair.place(), "expected two tokens");
      reader.add(pair.at(0).as_string(), pair.at(1).as_string(), place);
    }
  }
}

// Whether the vocabulary has any piece for a byte, <0xNN>.
inline bool has_byte_pieces(const json_view& vocab) {
  for (unsigned byte = 0; byte < 256; ++byte)
    if (vocab.as_object().contains(byte_piece(byte))) return true;
  return false;
}

// The options of the model that change ids; those that would make it another algorithm are refused. A
// byte-level vocabulary may have byte_fallback where it has no piece to fall back to: transformers writes it
// so.
inline void read_model_options(const json_view& model, tokenizer_parts& parts, bool byte_level) {
  only_members(model, {"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
                       "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"});
  const std::string_view type = model.find_string("type").value_or("BPE");
  if (type != "BPE") refuse(model, "model", type);
  if (model.find_double("dropout").value_or(0) != 0) refuse(model, "option", "dropout");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!model.find_string(key).value_or("").empty()) refuse(model, "option", key);
  }
  const bool fallback = model.find_bool("byte_fallback").value_or(false);
  if (byte_level && fallback && has_byte_pieces(model.require("vocab")))
    refuse(model, "with a ByteLevel pre_tokenizer and tokens like <0x0A>, option", "byte_fallback");
  if (!byte_level && !fallback)
    refuse(model, "BPE", "without ByteLevel pre_tokenizer and without byte_fallback");
  parts.vocabulary.units =
      byte_level ? bpe_vocabulary::unit_kind::bytes : bpe_vocabulary::unit_kind::characters;
  parts.vocabulary.whole_words = model.find_bool("ignore_merges").value_or(false);
}

// A byte without a token becomes the unknown token, where there is one.
inline void read_unknown(const json_view& model, tokenizer_parts& parts) {
  const auto name = model.find_string("unk_token");
  if (!name) return;
  const auto id = model.require("vocab").find_u64(*name);
  if (!id) fail(status::data, model.place(), "unk_token ", printable(*name), " is not in the vocabulary");
  parts.vocabulary.unknown = static_cast<std::int32_t>(*id);
  parts.vocabulary.fuse_unknown = model.find_bool("fuse_unk").value_or(false);
}

inline std::string name_of_splits(const tokenizer_parts& parts) {
  std::vector<std::string_view> patterns;
  for (const split_step& s : parts.splits) {
    if (s.literal || s.behavior != split_behavior::isolated) return "own steps";
    patterns.push_back(s.expression);
  }
  return std::string(kind_of_patterns(patterns).value_or("own steps"));
}

}  // namespace detail

// Errors: data; those of mapped_file.
inline tokenizer_parts read_tokenizer_json(const std::filesystem::path& path) {
  const json_document document = json_document::from_file(path, detail::tokenizer_json_limits);
  const json_view root = document.root();
  tokenizer_parts parts;
  parts.file = path.string();
  detail::only_members(root, {"version", "truncation", "padding", "added_tokens", "normalizer",
                              "pre_tokenizer", "post_processor", "decoder", "model"});
  if (const auto version = root.find_string("version"); version.value_or("1.0") != "1.0")
    detail::refuse(root, "version", *version);
  const json_view model = root.require("model");
  const bool byte_level = detail::read_pre_tokenizer(root, parts);
  detail::read_model_options(model, parts, byte_level);
  detail::read_normalizer(root, parts);
  parts.added = detail::read_added_tokens(root);
  const std::string added_place = cat(parts.file, ": added_tokens: ");
  detail::add_json_tokens(parts, detail::collect_tokens(model.require("vocab"), parts.added, added_place));
  detail::read_unknown(model, parts);
  detail::read_json_merges(parts, model.require("merges"));
  detail::read_post_processor(root, parts);
  detail::read_decoder(root, parts);
  parts.kind = byte_level ? cat("byte-level BPE (", detail::name_of_splits(parts), ")") : "SentencePiece BPE";
  return parts;
}

}  // namespace depthlens
