// SPDX-License-Identifier: Apache-2.0
// CoNLL-U sentences: the text as it was written and, for every word, its bytes in that text and its part of
// speech. Multiword tokens (1-2), empty nodes (1.1, passed over), SpaceAfter=No, SpacesAfter=\s\s (more than
// a blank, as UDPipe writes it), # text, # newdoc and # newpar are followed; lemmas, features, dependencies
// are not. Paragraphs: data/paragraphs.hpp.
#pragma once

#include <depthlens/base/byte_source.hpp>
#include <depthlens/base/text.hpp>
#include <depthlens/data/record_reader.hpp>
#include <depthlens/data/spaces_after.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens {

inline bool is_universal_pos(std::string_view tag) noexcept {
  static constexpr std::array<std::string_view, 17> tags = {"ADJ",   "ADP",   "ADV", "AUX",  "CCONJ", "DET",
                                                            "INTJ",  "NOUN",  "NUM", "PART", "PRON",  "PROPN",
                                                            "PUNCT", "SCONJ", "SYM", "VERB", "X"};
  return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

struct conllu_sentence {
  bool new_document = false, new_paragraph = false;
  std::string spaces_after;  // what stands between it and the next one: mostly " ", or nothing
  std::uint64_t line = 0;    // of its first line in the file
  std::string text;
  std::vector<tagged_word> words;
};

// Sentences of a file in order. One thread. Errors are status::data "FILE:LINE: ...".
class conllu_parser {
 public:
  explicit conllu_parser(const std::filesystem::path& path) : source_(path) {}

  // False after the last sentence.
  bool next(conllu_sentence& out) {
    out = {};
    start();
    do {
      line_number_ = source_.line();
      if (!source_.get_line(line_)) return finish(out);
      if (line_.empty()) continue;
      if (out.line == 0) out.line = line_number_;
      bytes_ += line_.size();
      if (bytes_ > max_item_bytes) fail_here("the sentence is longer than 16 MiB; is a blank line missing?");
      if (line_[0] == '#')
        read_comment(out);
      else
        read_token();
    } while (!line_.empty() || out.line == 0);
    return finish(out);
  }

  const std::string& name() const noexcept { return source_.name(); }

  template <class... Parts>
  [[noreturn]] void fail_at(std::uint64_t line, Parts&&... parts) const {
    source_.fail_at(line, parts...);
  }

 private:
  // A token as it stands in the text: a word, or the surface of a multiword token with `words` words.
  struct surface {
    std::string form;
    std::uint64_t line;
    std::size_t words;
    std::string after;  // white space
  };
  using columns = std::array<std::string_view, 10>;

  template <class... Parts>
  [[noreturn]] void fail_here(Parts&&... parts) const {
    source_.fail_at(line_number_, parts...);
  }

  void start() {
    surfaces_.clear();
    tags_.clear();
    text_.reset();
    range_end_ = empty_nodes_ = bytes_ = 0;
  }

  void read_comment(conllu_sentence& out) {
    if (!surfaces_.empty() || empty_nodes_ > 0)
      fail_here("a comment inside a sentence; is a blank line missing?");
    const std::string_view comment = utf8_strip(std::string_view(line_).substr(1));
    const std::size_t equals = comment.find('=');
    const std::string_view key = utf8_strip(comment.substr(0, equals));
    // Both may carry an id: "# newpar" or "# newpar id = p1".
    if (key == "newdoc" || key == "newdoc id") out.new_document = true;
    if (key == "newpar" || key == "newpar id") out.new_paragraph = true;
    if (key != "text" || equals == std::string_view::npos) return;
    if (text_) fail_here("\"# text\" is there twice in one sentence");
    text_ = std::string(utf8_strip(comment.substr(equals + 1)));
    text_line_ = line_number_;
  }

  columns split() const {
    columns out;
    std::string_view rest = line_;
    const auto tabs = static_cast<std::size_t>(std::count(rest.begin(), rest.end(), '\t'));
    if (tabs != 9) fail_here("expected 10 columns divided by tabs, found ", tabs + 1);
    for (std::string_view& column : out) {
      const std::size_t tab = rest.find('\t');
      column = rest.substr(0, tab);
      if (column.empty())
        fail_here("column ", &column - out.data() + 1, " is empty; an unknown value is written _");
      if (tab != std::string_view::npos) rest.remove_prefix(tab + 1);
    }
    return out;
  }

  // A number without sign and leading zero ("0" itself is allowed), from which `text` is advanced.
  std::optional<std::uint64_t> take_number(std::string_view& text) const {
    std::uint64_t n = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (code != std::errc() || (text[0] == '0' && end != text.data() + 1)) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return n;
  }

  void read_token() {
    const columns column = split();
    std::string_view id = column[0];
    const std::optional<std::uint64_t> first = take_number(id);
    const char kind = id.empty() ? '\0' : id[0];
    if (kind != '\0') id.remove_prefix(1);
    const std::optional<std::uint64_t> second = kind == '\0' ? first : take_number(id);
    if (!first || !second || !id.empty() || (kind != '\0' && kind != '-' && kind != '.'))
      fail_here(printable(column[0]), " is no word id; expected 1, 1-2 or 1.1");
    if (kind == '.')
      read_empty_node(*first, *second);
    else if (kind == '-')
      read_range(*first, *second, column);
    else
      read_word(*first, column);
  }

  void read_empty_node(std::uint64_t word, std::uint64_t number) {
    if (word != tags_.size() || number != empty_nodes_ + 1)
      fail_here("empty node ", word, ".", number, " is out of order, expected ", tags_.size(), ".",
                empty_nodes_ + 1);
    ++empty_nodes_;
  }

  void read_range(std::uint64_t first, std::uint64_t last, const columns& column) {
    if (first != tags_.size() + 1 || last <= first || first <= range_end_)
      fail_here("the range ", column[0], " is out of order, expected it to begin at ",
                std::max<std::uint64_t>(tags_.size(), range_end_) + 1, " and to hold two words or more");
    range_end_ = last;
    add_surface(column);
  }

  void add_surface(const columns& column) {
    if (utf8_strip(column[1]).size() != column[1].size())
      fail_here("the form begins or ends with white space");
    surfaces_.push_back({std::string(column[1]), line_number_, 0, spaces_after(column[9])});
  }

  void read_word(std::uint64_t id, const columns& column) {
    if (id != tags_.size() + 1) fail_here("word id ", id, " is out of order, expected ", tags_.size() + 1);
    if (column[3] != "_" && !is_universal_pos(column[3]))
      fail_here(printable(column[3]), " is no universal POS tag; expected one of the 17 tags or _");
    empty_nodes_ = 0;
    tags_.emplace_back(column[3]);
    if (id > range_end_) add_surface(column);
    ++surfaces_.back().words;
  }

  bool finish(conllu_sentence& out) {
    if (out.line == 0) return false;
    if (tags_.empty()) source_.fail_at(out.line, "a sentence without words");
    if (range_end_ > tags_.size())
      source_.fail_at(surfaces_.back().line, "the sentence ends before word ", range_end_, " of the range");
    if (!text_) rebuild_text();
    locate_words(out);
    out.text = *std::move(text_);
    out.spaces_after = std::move(surfaces_.back().after);
    return true;
  }

  void rebuild_text() {
    text_.emplace();
    for (const surface& token : surfaces_) {
      *text_ += token.form;
      if (&token != &surfaces_.back()) *text_ += token.after;
    }
  }

  void locate_words(conllu_sentence& out) const {
    const std::string_view text = *text_;
    std::size_t at = 0, word = 0;
    for (const surface& token : surfaces_) {
      if (text.substr(at, token.form.size()) != token.form)
        source_.fail_at(token.line, printable(token.form), " is not what \"# text\" (line ", text_line_,
                        ") has at its byte ", at, "; the words, SpaceAfter and the text must agree");
      const std::size_t end = at + token.form.size();
      for (std::size_t i = 0; i < token.words; ++i) out.words.push_back({at, end, tags_[word++], i > 0});
      const bool last = &token == &surfaces_.back();
      at = token.after.empty() ? end : utf8_skip_white_space(text, end);
      if (!token.after.empty() && at == end && !last)
        source_.fail_at(token.line, "no blank after ", printable(token.form), " in \"# text\" (line ",
                        text_line_, "), but no SpaceAfter=No here");
    }
    if (at != text.size())
      source_.fail_at(text_line_, "\"# text\" goes on after the last word, at byte ", at);
  }

  byte_source source_;
  std::uint64_t line_number_ = 0, text_line_ = 0, bytes_ = 0;
  std::uint64_t range_end_ = 0;    // last word of the range read last
  std::uint64_t empty_nodes_ = 0;  // since the last word
  std::string line_;
  std::optional<std::string> text_;
  std::vector<surface> surfaces_;
  std::vector<std::string> tags_;  // one per word
};

// Every sentence as a record of kind "sentence": field "text", and its words.
class sentence_reader final : public record_reader {
 public:
  explicit sentence_reader(const std::filesystem::path& path) : parser_(path) {}

  bool next(record& out) override {
    conllu_sentence sentence;
    if (!parser_.next(sentence)) return false;
    out = {.index = index_++, .kind = "sentence", .words = std::move(sentence.words)};
    out.fields.emplace_back("text", std::move(sentence.text));
    return true;
  }

 private:
  conllu_parser parser_;
  std::uint64_t index_ = 0;
};

}  // namespace depthlens
