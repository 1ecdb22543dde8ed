// SPDX-License-Identifier: Apache-2.0
// A text as sequences of token ids, for lens train and lens eval. Paragraphs of over 200 characters of plain
// text and CoNLL-U, or the prompts of rows.
#pragma once

#include "model/opened_model.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <utility>
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

// Positions that have a next token.
std::size_t positions_of(const token_sequences& all);

// Text that is measured and never trained on.
struct held_out_part {
  std::filesystem::path file;  // "" = the end of the text
  double share = 0;            // of the text's sequences, where no file is given
  std::size_t positions = 0;   // at most, to the end of the sequence that reaches them
};

// What to train on, and what is held out: the end of the text, so that no paragraph is on both sides but the one at
// the border, or a text of its own. Sequences of at most `longest` ids. Errors: those of read_sequences.
std::pair<token_sequences, token_sequences> read_training_text(const std::filesystem::path& file,
                                                               const opened_model& model, std::size_t longest,
                                                               const held_out_part& part);

}  // namespace depthlens
