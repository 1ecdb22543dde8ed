// SPDX-License-Identifier: Apache-2.0
#include "training/text_sequences.hpp"

#include "depthlens/data/reader.hpp"
#include "model/token_ids.hpp"
#include "terminal/log.hpp"

#include <algorithm>
#include <cmath>

namespace depthlens {
namespace {

constexpr std::size_t shortest = 3;  // a first, one that is read, and its next

// The texts of a file, one after the other: paragraphs, or prompts of rows.
class text_source {
 public:
  explicit text_source(const std::filesystem::path& file) {
    const file_format format = detect_format(file);
    if (format == file_format::text)
      paragraphs_ = std::make_unique<text_paragraphs>(file);
    else if (format == file_format::conllu)
      paragraphs_ = std::make_unique<conllu_paragraphs>(file, cut_options{}.min_paragraph);
    else
      rows_ = open_records(file, format, "prompt");
  }
  bool next(std::string& out) {
    if (paragraphs_) return paragraphs_->next(out);
    record r;
    if (!rows_->next(r)) return false;
    out = *r.find("prompt");
    return true;
  }

 private:
  std::unique_ptr<paragraph_source> paragraphs_;
  std::unique_ptr<record_reader> rows_;
};

class sequence_reader {
 public:
  sequence_reader(const std::filesystem::path& file, const opened_model& model, const sequence_options& o)
      : file_(file.string()),
        source_(file),
        model_(model),
        read_(o.read),
        wanted_(o.positions),
        prefix_(model.tokens->prefix()),
        longest_(std::min<std::size_t>(o.longest, model.files->arch().max_positions)) {
    if (longest_ < std::max(shortest, prefix_.size() + 1))
      fail(status::usage, "sequences of ", longest_, " tokens are too short: texts begin with ",
           prefix_.size(), " tokens of the tokenizer, and at least ", shortest, " make a sequence");
  }

  text_sequences read() && {
    for (std::string text; !enough() && source_.next(text); ++part_) {
      std::vector<std::int32_t> ids = model_.tokens->encode_prompt(text);
      check_ids(ids, model_.files->arch().vocab_size);
      divide(ids);
    }
    if (out_.ids.empty()) fail(status::data, file_, ": holds no text of three tokens");
    if (short_texts_ + short_ends_ > 0)
      log_info(cat(file_, ": left out ", short_texts_, " texts and ", short_ends_,
                   " ends of longer ones, of under ", shortest, " tokens each"));
    return std::move(out_);
  }

 private:
  bool enough() const { return wanted_ > 0 && positions_ >= wanted_; }

  void divide(const std::vector<std::int32_t>& ids) {
    const auto from = [&](std::size_t at) { return ids.begin() + static_cast<std::ptrdiff_t>(at); };
    std::size_t at = std::min(ids.size(), longest_);
    short_texts_ += !add({ids.begin(), from(at)});
    while (at < ids.size() && !enough()) {
      const std::size_t n = std::min(ids.size() - at, longest_ - prefix_.size());
      std::vector<std::int32_t> next = prefix_;
      next.insert(next.end(), from(at), from(at + n));
      short_ends_ += !add(std::move(next));
      at += n;
    }
  }

  bool add(std::vector<std::int32_t> ids) {
    if (ids.size() < std::max(shortest, prefix_.size() + 1)) return false;
    positions_ += positions_of(ids, read_);
    out_.ids.push_back(std::move(ids));
    out_.part.push_back(part_);
    return true;
  }

  std::string file_;
  text_source source_;
  const opened_model& model_;
  const positions_read read_;
  const std::size_t wanted_;
  const std::vector<std::int32_t> prefix_;
  const std::size_t longest_;
  std::size_t positions_ = 0, part_ = 0, short_texts_ = 0, short_ends_ = 0;
  text_sequences out_;
};

}  // namespace

text_sequences read_sequences(const std::filesystem::path& file, const opened_model& model,
                              const sequence_options& o) {
  return sequence_reader(file, model, o).read();
}

std::size_t positions_of(const std::vector<std::int32_t>& ids, positions_read read) {
  const std::size_t unread = read == positions_read::with_next ? 2 : 1;
  return ids.size() - std::min(ids.size(), unread);
}

std::size_t positions_of(const token_sequences& all, positions_read read) {
  std::size_t n = 0;
  for (const auto& s : all) n += positions_of(s, read);
  return n;
}

training_text read_training_text(const std::filesystem::path& file, const opened_model& model,
                                 std::size_t longest, const held_out_part& part) {
  constexpr auto read = positions_read::behind_first;
  token_sequences text = read_sequences(file, model, {.longest = longest, .read = read}).ids, held_out;
  if (!part.file.empty()) {
    held_out =
        read_sequences(part.file, model, {.longest = longest, .read = read, .positions = part.positions}).ids;
  } else {
    const auto share = static_cast<std::size_t>(std::llround(part.share * static_cast<double>(text.size())));
    const std::size_t n = std::min(std::max<std::size_t>(share, part.share > 0 ? 1 : 0), text.size() - 1);
    held_out.assign(text.end() - static_cast<std::ptrdiff_t>(n), text.end());
    text.resize(text.size() - n);
  }
  std::size_t kept = 0;
  for (std::size_t positions = 0; kept < held_out.size() && positions < part.positions; ++kept)
    positions += positions_of(held_out[kept], read);
  held_out.resize(kept);
  if (text.empty()) fail(status::data, file.string(), ": nothing is left to train on");
  return {std::move(text), std::move(held_out)};
}

}  // namespace depthlens
