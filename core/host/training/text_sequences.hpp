// SPDX-License-Identifier: Apache-2.0
// A text as sequences of token ids, for lens train and lens eval: all paragraphs of plain text and CoNLL-U,
// or the prompts of rows; longer ones are continued as further sequences.
#pragma once

#include "model/opened_model.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <utility>
#include <vector>

namespace depthlens {

using token_sequences = std::vector<std::vector<std::int32_t>>;

// Position 0 of a sequence has seen nothing and is never read. Training reads all others; what is compared
// with the text's next token leaves out the last, too.
enum class positions_read { behind_first, with_next };

std::size_t positions_of(const std::vector<std::int32_t>& ids, positions_read read);
std::size_t positions_of(const token_sequences& all, positions_read read = positions_read::behind_first);

struct sequence_options {
  std::size_t longest = 128;  // ids of a sequence
  positions_read read = positions_read::behind_first;
  std::size_t positions = 0;  // enough when so many are read, to the end of their sequence; 0 = all text
};

struct text_sequences {
  token_sequences ids;
  std::vector<std::size_t> part;  // of each: the number of its paragraph or row, ascending
};

// Sequences of three ids or more, each behind the tokenizer's prefix; how many shorter ones are left out is
// logged. Errors: those of the readers; usage where `longest` leaves no place behind the prefix; data for ids
// that the model has no embedding for, and where nothing is left.
text_sequences read_sequences(const std::filesystem::path& file, const opened_model& model,
                              const sequence_options& o);

// Text that is measured and never trained on.
struct held_out_part {
  std::filesystem::path file;  // "" = the end of the text
  double share = 0;  // of the text's sequences, where no file is given; above 0: at least one of several
  std::size_t positions = 0;  // at most, to the end of the sequence that reaches them
};

struct training_text {
  token_sequences train, held_out;
};

// What to train on, and what is held out: the end of the text, so that no paragraph is on both sides but the
// one at the border, or a text of its own. Sequences of at most `longest` ids. Errors: those of
// read_sequences.
training_text read_training_text(const std::filesystem::path& file, const opened_model& model,
                                 std::size_t longest, const held_out_part& part);

}  // namespace depthlens
