// SPDX-License-Identifier: Apache-2.0
#include "training/text_sequences.hpp"

#include "depthlens/data/reader.hpp"
#include "model/token_ids.hpp"

#include <algorithm>
#include <cmath>

namespace depthlens {
namespace {

constexpr std::size_t shortest = 3;  // a first, one that is read, and its next

}  // namespace

token_sequences read_sequences(const std::filesystem::path& file, const opened_model& model,
                               const sequence_options& o) {
  const architecture& a = model.files->arch();
  const std::vector<std::int32_t> prefix = model.tokens->prefix();
  const std::size_t longest = std::min<std::size_t>(o.longest, a.max_positions);
  const file_format format = detect_format(file);
  const bool rows = format == file_format::rows_json || format == file_format::rows_jsonl;
  const auto reader = open_records(file, format, rows ? "prompt" : "cut", {.cuts = 1});
  token_sequences out;
  std::size_t positions = 0;
  const auto add = [&](std::vector<std::int32_t> ids) {
    if (ids.size() < std::max(shortest, prefix.size() + 1)) return;
    positions += ids.size() - 2;
    out.push_back(std::move(ids));
  };
  for (record r; (o.positions == 0 || positions < o.positions) && reader->next(r);) {
    const std::string* text = r.find("text");
    std::vector<std::int32_t> ids = model.tokens->encode_prompt(text != nullptr ? *text : *r.find("prompt"));
    check_ids(ids, a.vocab_size);
    std::size_t at = std::min(ids.size(), longest);
    add({ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(at)});
    if (o.rest == sequence_options::remainder::dropped || longest <= prefix.size() + shortest) continue;
    while (at < ids.size()) {
      const std::size_t n = std::min(ids.size() - at, longest - prefix.size());
      std::vector<std::int32_t> next = prefix;
      const auto from = ids.begin() + static_cast<std::ptrdiff_t>(at);
      next.insert(next.end(), from, from + static_cast<std::ptrdiff_t>(n));
      add(std::move(next));
      at += n;
    }
  }
  if (out.empty()) fail(status::data, file.string(), ": holds no text of three tokens");
  return out;
}

std::size_t positions_of(const token_sequences& all) {
  std::size_t n = 0;
  for (const auto& s : all) n += s.size() - 1;
  return n;
}

std::pair<token_sequences, token_sequences> read_training_text(const std::filesystem::path& file,
                                                               const opened_model& model, std::size_t longest,
                                                               const held_out_part& part) {
  sequence_options o{.longest = longest, .rest = sequence_options::remainder::continued};
  token_sequences text = read_sequences(file, model, o), held_out;
  if (!part.file.empty()) {
    o.positions = part.positions;
    held_out = read_sequences(part.file, model, o);
  } else {
    const auto n = std::llround(part.share * static_cast<double>(text.size()));
    held_out.assign(text.end() - static_cast<std::ptrdiff_t>(n), text.end());
    text.resize(text.size() - static_cast<std::size_t>(n));
  }
  std::size_t kept = 0;
  for (std::size_t positions = 0; kept < held_out.size() && positions < part.positions; ++kept)
    positions += held_out[kept].size() - 1;
  held_out.resize(kept);
  if (text.empty()) fail(status::data, file.string(), ": nothing is left to train on");
  return {std::move(text), std::move(held_out)};
}

}  // namespace depthlens
