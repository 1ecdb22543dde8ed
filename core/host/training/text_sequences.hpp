// SPDX-License-Identifier: Apache-2.0
// A text as sequences of token ids, for lens train and lens eval. Paragraphs of over 200 characters of plain
// text and CoNLL-U, or the prompts of rows.
#pragma once

#include "model/opened_model.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace depthlens {

using token_sequences = std::vector<std::vector<std::int32_t>>;

struct sequence_options {
  enum class remainder { dropped, continued };
  std::size_t longest = 129;            // ids of a sequence
  remainder rest = remainder::dropped;  // of a longer text: continued as further sequences
  std::size_t positions =
      0;  // enough when so many are behind the first of a sequence and not its last; 0 = all text
};

// Sequences of three ids or more, each behind the tokenizer's prefix. Errors: those of the readers; data for
// ids that the model has no embedding for, and where nothing is left.
token_sequences read_sequences(const std::filesystem::path& file, const opened_model& model,
                               const sequence_options& o);

}  // namespace depthlens
