// SPDX-License-Identifier: Apache-2.0
// Text to token ids and back, for byte-level BPE (GPT-2 and its successors) and SentencePiece-style BPE with
// one token per byte. The ids are those of Hugging Face's tokenizers library. What is read from which file is
// json_reader.hpp, folder_reader.hpp and gguf_reader.hpp; all that they do not understand is refused by name.
//
// Text that is not valid UTF-8: each byte that is no part of a character becomes its byte token by itself,
// and the text before and after it is tokenized separately; decode gives the same bytes back. A byte without
// a token in the vocabulary (many lack bytes that their training text did not have, e.g. 0xFF) is left out,
// in valid text too.
#pragma once

#include "depthlens/base/error.hpp"
#include "depthlens/base/utf8.hpp"
#include "depthlens/files/gguf.hpp"
#include "depthlens/tokenizer/added_tokens.hpp"
#include "depthlens/tokenizer/bpe.hpp"
#include "depthlens/tokenizer/folder_reader.hpp"
#include "depthlens/tokenizer/gguf_reader.hpp"
#include "depthlens/tokenizer/json_reader.hpp"
#include "depthlens/tokenizer/normalizer.hpp"
#include "depthlens/tokenizer/parts.hpp"
#include "depthlens/tokenizer/pretokenizer.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens {

// Immutable and cheap to copy; all const members may be called from several threads. Ids are 0..size()-1.
class tokenizer {
 public:
  enum class special {
    add,   // special tokens are found in the text, and the post-processor's are put around it
    none,  // neither: special tokens are plain text (tokens that are added but not special are still found)
  };

  // Errors of all four: status::data, naming the file and what it is in it that is wrong or not understood.
  // tokenizer.json is all that counts where there is one: a tokenizer_config.json beside it is not followed,
  // and what it says otherwise is among doubts().
  static tokenizer from_json(const std::filesystem::path& path) {
    return tokenizer(read_tokenizer_json(path));
  }
  // tokenizer.json of a model folder, or else its vocab.json and merges.txt. Errors: no_input, if it has
  // neither.
  static tokenizer from_folder(const std::filesystem::path& folder) {
    return tokenizer(read_folder_tokenizer(folder));
  }
  static tokenizer from_gguf(const gguf_file& file) { return tokenizer(read_gguf_tokenizer(file)); }
  explicit tokenizer(tokenizer_parts parts) : data_(std::make_shared<const data>(std::move(parts))) {}

  // The ids of a text. A byte that is no UTF-8 becomes the token of this byte, where the vocabulary has one;
  // what lies between such bytes is encoded by itself. Errors: data, if the text is 2 GiB or longer.
  std::vector<std::int32_t> encode(std::string_view utf8, special mode) const {
    const tokenizer_parts& parts = data_->parts;
    session s{mode == special::none, {}, {}, {}};
    if (mode == special::add) s.out = parts.prefix;
    piece_place place = piece_place::start;
    data_->raw_tokens.split(
        utf8, s.skip_special, [&](std::string_view text, std::size_t) { encode_raw(s, text, place); },
        [&](const added_token& token, std::size_t) {
          s.out.push_back(token.id);
          place = piece_place::after_token;
        });
    if (mode == special::add) s.out.insert(s.out.end(), parts.suffix.begin(), parts.suffix.end());
    return std::move(s.out);
  }

  // The ids that special::add puts in front of every text: a BOS token, or nothing.
  std::vector<std::int32_t> prefix() const { return data_->parts.prefix; }

  // The text of a sequence of ids, special tokens included; may be invalid UTF-8. Errors: usage, for an id
  // outside 0..size()-1.
  std::string decode(std::span<const std::int32_t> ids) const {
    std::string out;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] < 0 || static_cast<std::size_t>(ids[i]) >= size()) {
        fail(status::usage, "token id ", ids[i], " is not in the vocabulary, expected 0..", size() - 1);
      }
      std::string_view token = bytes(ids[i]);
      if (i == 0 && data_->parts.decoding == decode_rule::strip_first_token) {
        for (const char c : token) {
          if (c != ' ') out += c;
        }
      } else {
        out += token;
      }
    }
    if (data_->parts.decoding == decode_rule::strip_blank && out.starts_with(' ')) out.erase(0, 1);
    return out;
  }

  // The bytes that a token stands for inside a text, a leading blank included; a special token's text. Empty
  // for an id outside 0..size()-1. Lives as long as the tokenizer and its copies.
  std::string_view bytes(std::int32_t id) const {
    if (id < 0 || static_cast<std::size_t>(id) >= size()) return {};
    return data_->parts.surface[static_cast<std::size_t>(id)];
  }

  bool is_special(std::int32_t id) const {
    return id >= 0 && static_cast<std::size_t>(id) < size() &&
           data_->parts.special[static_cast<std::size_t>(id)] != 0;
  }

  std::size_t size() const { return data_->parts.surface.size(); }  // highest id + 1
  std::optional<std::int32_t> bos() const { return data_->parts.bos; }
  const std::string& kind() const { return data_->parts.kind; }  // "byte-level BPE (smollm)"

  // What the files leave open or say in two ways, and what is taken: a line each, for people.
  const std::vector<std::string>& doubts() const { return data_->parts.doubts; }

  // SHA-256 (hex) over everything that changes ids: equal hashes, equal ids for every text.
  const std::string& content_hash() const { return data_->hash; }

 private:
  struct data {
    explicit data(tokenizer_parts p)
        : parts(std::move(p)), hash(content_hash_of(parts)), splitter(parts.splits) {
      for (const added_token& token : parts.added) {
        std::string text = token.content;
        if (token.normalized) normalize(parts.normalizer, piece_place::start, text);
        if (!text.empty()) (token.normalized ? normalized_tokens : raw_tokens).add(token, text);
      }
      model = bpe_model(std::move(parts.vocabulary), parts.file);
    }

    tokenizer_parts parts;
    std::string hash;
    pretokenizer splitter;
    bpe_model model;
    added_token_finder raw_tokens, normalized_tokens;
  };

  // One call of encode.
  struct session {
    bool skip_special;
    std::vector<std::int32_t> out;
    bpe_scratch scratch;
    std::string normalized;
  };

  // Text between added tokens: runs of valid UTF-8, and bytes that are none.
  void encode_raw(session& s, std::string_view text, piece_place& place) const {
    while (!text.empty()) {
      const std::size_t valid = std::min(utf8_first_broken(text), text.size());
      if (valid > 0) {
        encode_valid(s, text.substr(0, valid), place);
        text.remove_prefix(valid);
        place = piece_place::after_token;
      }
      if (text.empty()) break;
      const std::size_t broken = utf8_at(text, 0).size;
      for (const char byte : text.substr(0, broken)) {
        const std::int32_t id = data_->model.byte_token(static_cast<unsigned char>(byte));
        if (id != string_index::none) s.out.push_back(id);
      }
      text.remove_prefix(broken);
      place = piece_place::after_broken_byte;
    }
  }

  void encode_valid(session& s, std::string_view text, piece_place place) const {
    if (!data_->parts.normalizer.empty()) {
      s.normalized.assign(text);
      normalize(data_->parts.normalizer, place, s.normalized);
      text = s.normalized;
    }
    data_->normalized_tokens.split(
        text, s.skip_special, [&](std::string_view part, std::size_t) { encode_part(s, part, place); },
        [&](const added_token& token, std::size_t) {
          s.out.push_back(token.id);
          place = piece_place::after_token;
        });
  }

  void encode_part(session& s, std::string_view part, piece_place place) const {
    std::string prepared;
    if (!data_->parts.preparation.empty()) {
      prepared.assign(part);
      normalize(data_->parts.preparation, place, prepared);
      part = prepared;
    }
    data_->splitter.split(part, [&](std::string_view word) { data_->model.encode(word, s.out, s.scratch); });
  }

  std::shared_ptr<const data> data_;
};

}  // namespace depthlens
