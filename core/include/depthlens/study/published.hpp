// SPDX-License-Identifier: Apache-2.0
// What the published code does in every experiment, and what --seed-compat asks for: the layer names of its
// CSVs, the text that a single token decodes to there, and the ids of its answers. Which columns and files an
// experiment then has is in the experiment's own *_published.hpp.
#pragma once

#include "depthlens/base/text.hpp"
#include "depthlens/base/utf8.hpp"
#include "depthlens/experiment.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// Prompts are cut on the right to this many ids there.
inline constexpr std::size_t published_max_ids = 1024;

// The name of the block whose output is layer 1..n; the published CSVs have no row for layer 0.
inline std::string published_layer_name(std::int32_t layer) { return cat("model.layers.", layer - 1); }

// The number after the last dot of such a name, -1 where there is none.
inline std::int64_t published_layer_number(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  std::int64_t n = -1;
  if (dot != std::string_view::npos) std::from_chars(name.data() + dot + 1, name.data() + name.size(), n);
  return n;
}

// Calls row(i, name) for the layers i of a reading that have a row in the published CSVs: all but layer 0.
template <class Row>
void each_published_layer(const dlens_reading& reading, const Row& row) {
  for (std::size_t i = 0; i < reading.n_layers; ++i)
    if (reading.layers[i] != 0) row(i, published_layer_name(reading.layers[i]));
}

// Texts of single tokens as Hugging Face's decode([id]) gives them: broken UTF-8 becomes U+FFFD, and a
// tokenizer that puts a blank in front of every text drops one there ("decodes" the bare blank of Llama-2 to
// nothing).
class published_decoder {
 public:
  explicit published_decoder(const tokenizer_view& tokenizer) : tokenizer_(tokenizer) {
    const std::vector<std::int32_t> ids = tokenizer.encode_text("a");
    drops_blank_ = !ids.empty() && tokenizer.bytes(ids.front()).starts_with(' ');
  }
  // Llama-2's kind of tokenizer: texts get a blank in front.
  bool drops_blank() const noexcept { return drops_blank_; }
  std::string text(std::int32_t id) const {
    std::string_view bytes = tokenizer_.bytes(id);
    if (drops_blank_ && bytes.starts_with(' ')) bytes.remove_prefix(1);
    return utf8_replace_broken(bytes);
  }
  // Special tokens decode to nothing here, so they are not white space.
  bool is_white_space(std::int32_t id) const {
    return !tokenizer_.is_special(id) && depthlens::is_white_space(text(id));
  }

 private:
  tokenizer_view tokenizer_;
  bool drops_blank_ = false;
};

// Ids of an answer as a text of its own, without as many ids in front as an empty text has.
inline std::vector<std::int32_t> published_answer_ids(const tokenizer_view& tokenizer,
                                                      std::string_view answer) {
  std::vector<std::int32_t> ids = tokenizer.encode_prompt(answer);
  const auto skip = static_cast<std::ptrdiff_t>(std::min(tokenizer.prefix().size(), ids.size()));
  ids.erase(ids.begin(), ids.begin() + skip);
  return ids;
}

}  // namespace depthlens
