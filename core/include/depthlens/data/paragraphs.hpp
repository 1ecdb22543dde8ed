// SPDX-License-Identifier: Apache-2.0
// The paragraphs of a text, for prompts that are cut at random places.
// Plain text: paragraphs are divided by blank lines; hard-wrapped lines are joined by one blank.
// CoNLL-U: sentences from one "# newpar" (or "# newdoc") to the next, joined by one blank, or by what
// SpaceAfter and SpacesAfter of the last token say. Sentences of a document before its first "# newpar" have
// no paragraph marks: they are gathered in order until there are more than `unmarked_minimum` characters,
// which ends the paragraph.
#pragma once

#include <depthlens/base/byte_source.hpp>
#include <depthlens/data/conllu.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

namespace depthlens {

// One file, one thread. Errors are status::data "FILE:LINE: ...", also for a paragraph over max_item_bytes.
class paragraph_source {
 public:
  virtual ~paragraph_source() = default;
  // The next paragraph, stripped of white space at its ends and not empty; false after the last.
  virtual bool next(std::string& out) = 0;
};

class text_paragraphs final : public paragraph_source {
 public:
  explicit text_paragraphs(const std::filesystem::path& path) : source_(path) {}

  bool next(std::string& out) override {
    out.clear();
    for (std::uint64_t line = source_.line(); source_.get_line(line_); line = source_.line()) {
      const std::string_view part = utf8_strip(line_);
      if (part.empty() && !out.empty()) break;
      if (part.empty()) continue;
      if (!out.empty()) out += ' ';
      out += part;
      if (out.size() > max_item_bytes)
        source_.fail_at(line, "the paragraph is longer than 16 MiB; divide it by blank lines");
    }
    return !out.empty();
  }

 private:
  byte_source source_;
  std::string line_;
};

class conllu_paragraphs final : public paragraph_source {
 public:
  conllu_paragraphs(const std::filesystem::path& path, std::uint64_t unmarked_minimum)
      : parser_(path), unmarked_minimum_(unmarked_minimum) {}

  bool next(std::string& out) override {
    out.clear();
    std::string between;
    while (has_sentence_ || parser_.next(sentence_)) {
      has_sentence_ = true;
      const bool marked = sentence_.new_document || sentence_.new_paragraph;
      if (!out.empty() && (marked || (unmarked_ && utf8_count(out) > unmarked_minimum_))) return true;
      if (sentence_.new_document) unmarked_ = true;
      if (sentence_.new_paragraph) unmarked_ = false;
      out += between;
      out += sentence_.text;
      if (out.size() > max_item_bytes)
        parser_.fail_at(sentence_.line, "the paragraph is longer than 16 MiB; mark paragraphs with # newpar");
      between = std::move(sentence_.spaces_after);
      has_sentence_ = false;
    }
    return !out.empty();
  }

 private:
  conllu_parser parser_;
  std::uint64_t unmarked_minimum_;
  conllu_sentence sentence_;  // where has_sentence_: the first one of the next paragraph
  bool has_sentence_ = false;
  bool unmarked_ = true;  // no "# newpar" in this document so far
};

}  // namespace depthlens
