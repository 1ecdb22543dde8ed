// SPDX-License-Identifier: Apache-2.0
// The tokenizer in a GGUF file: tokenizer.ggml.model "gpt2" (byte-level BPE with merges), "llama"
// (SentencePiece BPE with scores) and "gemma4" (SentencePiece BPE with merges). GGUF names how text is cut
// (tokenizer.ggml.pre) and says nothing of normalisation: where the name's tokenizer normalises to NFC, so do
// we. Other models and names are refused.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/files/gguf.hpp"
#include "depthlens/tokenizer/parts.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens {

namespace detail {

// tokenizer.ggml.token_type
enum class gguf_token : std::uint8_t { normal = 1, unknown = 2, control = 3, user = 4, unused = 5, byte = 6 };

inline std::vector<gguf_token> gguf_token_types(const gguf_file& file, std::size_t tokens) {
  const auto types = file.find_ints("tokenizer.ggml.token_type");
  std::vector<gguf_token> out(tokens, gguf_token::normal);
  if (!types) return out;
  if (types->size() != tokens) {
    fail(status::data, file.path(), ": ", types->size(), " token types for ", tokens, " tokens");
  }
  for (std::size_t i = 0; i < tokens; ++i) {
    const std::int64_t type = (*types)[i];
    if (type < 1 || type > 6) {
      fail(status::data, file.path(), ": token ", i, " is of unknown type ", type, ", expected 1..6");
    }
    out[i] = static_cast<gguf_token>(type);
  }
  return out;
}

// Rows of the embedding that are no tokens get such names from converters.
inline bool is_gguf_padding(std::string_view text, std::size_t id) { return text == cat("[PAD", id, "]"); }

// surface, special, added and the pieces; says which ids text can become.
inline std::vector<std::uint8_t> add_gguf_tokens(tokenizer_parts& parts,
                                                 std::span<const std::string_view> tokens,
                                                 const std::vector<gguf_token>& types) {
  const bool bytes = parts.vocabulary.units == bpe_vocabulary::unit_kind::bytes;
  std::vector<std::uint8_t> reachable(tokens.size());
  parts.special.resize(tokens.size());
  std::string text;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const gguf_token type = types[i];
    const bool listed = type == gguf_token::normal || type == gguf_token::unused || type == gguf_token::byte;
    parts.special[i] = type == gguf_token::control || type == gguf_token::unknown;
    text.clear();
    const bool written = bytes && listed && byte_alphabet::get().append_bytes(text, tokens[i]);
    if (!written) text.assign(tokens[i]);
    reachable[i] = type == gguf_token::normal && (written || !bytes);
    parts.vocabulary.pieces.push(text);
    if (!bytes && type == gguf_token::byte) {
      const bool good = tokens[i].size() == 6 && hex_value(tokens[i][3]) >= 0 && hex_value(tokens[i][4]) >= 0;
      if (!good) fail(status::data, parts.file, ": byte token ", i, " is ", printable(tokens[i]));
      text.assign(1, static_cast<char>(hex_value(tokens[i][3]) * 16 + hex_value(tokens[i][4])));
    } else if (!bytes && listed) {
      replace_all(text, std::string(metaspace), " ");
    }
    parts.surface.push(text);
    const bool added = !listed && !tokens[i].empty() && !is_gguf_padding(tokens[i], i);
    if (!added) continue;
    if (tokens[i].size() > max_added_token)
      fail(status::data, parts.file, ": token ", i, " is too long to be special");
    parts.added.push_back({static_cast<std::int32_t>(i), std::string(tokens[i]), parts.special[i] != 0});
  }
  return reachable;
}

// Phi-3's special tokens take the white space behind them, which its GGUF files do not say.
inline void strip_behind_added(tokenizer_parts& parts) {
  for (added_token& t : parts.added)
    t.rstrip = t.content != "<unk>" && t.content != "<s>" && t.content != "<|endoftext|>";
}

inline void read_gguf_merges(tokenizer_parts& parts, const gguf_file& file) {
  const auto merges = file.require_strings("tokenizer.ggml.merges");
  parts.vocabulary.merges.reserve(merges.size());
  const bool bytes = parts.vocabulary.units == bpe_vocabulary::unit_kind::bytes;
  std::string left, right, buffer;
  for (const std::string_view merge : merges) {
    const std::size_t blank = merge.find(' ', 1);
    left.clear();
    right.clear();
    const auto append = [&](std::string& out, std::string_view token) {
      if (bytes) return byte_alphabet::get().append_bytes(out, token);
      out = token;
      return true;
    };
    if (blank == std::string_view::npos || !append(left, merge.substr(0, blank)) ||
        !append(right, merge.substr(blank + 1))) {
      fail(status::data, parts.file, ": merge ", parts.vocabulary.merges.size(), " is ", printable(merge),
           ", expected two ", bytes ? "byte-level " : "", "tokens with a blank between");
    }
    add_merge(parts.vocabulary, left, right, buffer, parts.file);
  }
}

inline void read_gguf_bytes(tokenizer_parts& parts, const gguf_file& file,
                            std::span<const std::uint8_t> reachable, const pretokenizer_preset& preset) {
  index_pieces(parts.vocabulary, reachable, parts.file);
  find_single_bytes(parts.vocabulary, parts.file);
  read_gguf_merges(parts, file);
  parts.vocabulary.whole_words = preset.whole_words;
  for (const std::string_view p : preset.patterns) parts.splits.push_back({std::string(p)});
  const auto architecture = file.find_string("general.architecture");
  const bool assumed = preset.kind == "gpt-2, assumed";
  const bool neox = assumed && architecture && *architecture == "gptneox";
  if (preset.nfc || neox) parts.normalizer.push_back({normalizer_step::kind::nfc, {}, {}});
  if (assumed && !neox && architecture.value_or("") != "gpt2") {
    parts.doubts.push_back(
        cat(parts.file, ": tokenizer.ggml.pre ", preset.name.empty() ? "is missing" : "is 'default'",
            ": text is cut into words as by GPT-2 ('gpt-2'), which may be wrong for this model"));
  }
  parts.kind = cat("byte-level BPE (", preset.kind, ")");
}

inline void index_gguf_characters(tokenizer_parts& parts, std::span<const std::uint8_t> reachable) {
  bpe_vocabulary& v = parts.vocabulary;
  string_index all;
  all.reserve(v.pieces.size());
  for (std::size_t i = 0; i < v.pieces.size(); ++i) all.add(v.pieces, static_cast<std::int32_t>(i));
  find_byte_pieces(v, all, parts.file);
  index_pieces(v, reachable, parts.file);
}

// A text is one word: nothing cuts it before the merges. The scores that such files have mean nothing.
inline void read_gguf_gemma4(tokenizer_parts& parts, const gguf_file& file,
                             std::span<const std::uint8_t> reachable) {
  if (const auto pre = file.find_string("tokenizer.ggml.pre"); pre.value_or("gemma4") != "gemma4")
    fail(status::data, parts.file, ": tokenizer.ggml.pre ", printable(*pre),
         " with tokenizer.ggml.model 'gemma4' is not supported, expected 'gemma4' or none");
  if (file.find_bool("tokenizer.ggml.add_space_prefix").value_or(false))
    fail(status::data, parts.file, ": tokenizer.ggml.add_space_prefix is set, which is not supported with ",
         "tokenizer.ggml.model 'gemma4'");
  index_gguf_characters(parts, reachable);
  read_gguf_merges(parts, file);
  parts.normalizer.push_back({normalizer_step::kind::replace, " ", std::string(metaspace)});
  parts.kind = "SentencePiece BPE";
}

inline void read_gguf_scores(tokenizer_parts& parts, const gguf_file& file,
                             std::span<const std::uint8_t> reachable) {
  bpe_vocabulary& v = parts.vocabulary;
  index_gguf_characters(parts, reachable);
  const auto scores = file.find_floats("tokenizer.ggml.scores");
  if (!scores) fail(status::data, parts.file, ": metadata key 'tokenizer.ggml.scores' is missing");
  rank_by_score(v, *scores, parts.file);
  using kind = normalizer_step::kind;
  const bool blank_first = file.find_bool("tokenizer.ggml.add_space_prefix").value_or(true);
  if (blank_first) parts.normalizer.push_back({kind::prepend, {}, " "});
  parts.normalizer.push_back({kind::replace, " ", std::string(metaspace)});
  parts.decoding = blank_first ? decode_rule::strip_blank : decode_rule::join;
  parts.kind = "SentencePiece BPE";
}

inline std::optional<std::int32_t> find_gguf_id(const gguf_file& file, std::string_view key,
                                                std::size_t tokens) {
  constexpr std::uint64_t none = 0xffffffff;  // -1 to the programs that write it
  auto id = file.find_u64(key);
  if (id == none) id.reset();
  if (id && *id >= tokens) {
    fail(status::data, file.path(), ": ", printable(key), " = ", *id, ", but there are ", tokens, " tokens");
  }
  return id ? std::optional(static_cast<std::int32_t>(*id)) : std::nullopt;
}

// BOS and EOS around a text. BOS is put in front where the file says so; where it does not say, for
// vocabularies of SentencePiece and of Llama 3. EOS is put behind only where the file says so.
inline void read_gguf_frame(tokenizer_parts& parts, const gguf_file& file, bool default_bos) {
  const std::size_t tokens = parts.surface.size();
  parts.bos = find_gguf_id(file, "tokenizer.ggml.bos_token_id", tokens);
  const auto eos = find_gguf_id(file, "tokenizer.ggml.eos_token_id", tokens);
  const auto wanted = [&](const char* key, bool otherwise, const std::optional<std::int32_t>& id,
                          const char* what) {
    const auto said = file.find_bool(key);
    if (said.value_or(false) && !id)
      fail(status::data, parts.file, ": ", printable(key), " is set, but there is no ", what);
    return said.value_or(otherwise) && id;
  };
  if (wanted("tokenizer.ggml.add_bos_token", default_bos, parts.bos, "bos_token_id"))
    parts.prefix = {*parts.bos};
  if (wanted("tokenizer.ggml.add_eos_token", false, eos, "eos_token_id")) parts.suffix = {*eos};
}

}  // namespace detail

// Errors: data. `file` is needed only during the call.
inline tokenizer_parts read_gguf_tokenizer(const gguf_file& file) {
  tokenizer_parts parts;
  parts.file = file.path();
  const std::string_view model = file.require_string("tokenizer.ggml.model");
  const bool bytes = model == "gpt2", gemma4 = model == "gemma4";
  if (!bytes && !gemma4 && model != "llama") {
    fail(status::data, parts.file, ": tokenizer.ggml.model ", printable(model),
         " is not supported, expected 'gpt2' (byte-level BPE), 'llama' or 'gemma4' (SentencePiece BPE)");
  }
  const std::string_view pre = file.find_string("tokenizer.ggml.pre").value_or("");
  const auto preset = find_preset(pre);
  if (bytes && !preset)
    fail(status::data, parts.file, ": tokenizer.ggml.pre ", printable(pre), " is not supported");
  const auto tokens = file.require_strings("tokenizer.ggml.tokens");
  if (tokens.empty() || tokens.size() > max_tokens) {
    fail(status::data, parts.file, ": ", tokens.size(), " tokens, expected 1..", max_tokens);
  }
  if (!bytes) parts.vocabulary.units = bpe_vocabulary::unit_kind::characters;
  const auto reachable =
      detail::add_gguf_tokens(parts, tokens, detail::gguf_token_types(file, tokens.size()));
  if (bytes) {
    detail::read_gguf_bytes(parts, file, reachable, *preset);
  } else if (gemma4) {
    detail::read_gguf_gemma4(parts, file, reachable);
  } else {
    detail::read_gguf_scores(parts, file, reachable);
    if (file.find_string("general.architecture") == "phi3") detail::strip_behind_added(parts);
  }
  detail::read_gguf_frame(parts, file, bytes ? preset->add_bos : true);
  if (gemma4 && parts.bos && parts.prefix.empty()) {  // early files have the flag wrong
    parts.prefix = {*parts.bos};
    parts.doubts.push_back(cat(parts.file, ": tokenizer.ggml.add_bos_token is false; Gemma 4 is made for a ",
                               "BOS in front, which is put there"));
  }
  return parts;
}

}  // namespace depthlens
