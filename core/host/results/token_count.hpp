// SPDX-License-Identifier: Apache-2.0
// Counts the tokens of a text and writes the frequency table that freq and flips read.
#pragma once

#include "depthlens/tokenizer/tokenizer.hpp"

#include <filesystem>

namespace depthlens {

// Every line of the UTF-8 text is encoded by itself, special tokens added as the tokenizer does by default.
// The table holds the ids that occur. Errors: no_input, data (a text without tokens), cannot_create, io.
void count_tokens(const tokenizer& t, const std::filesystem::path& text, const std::filesystem::path& out);

}  // namespace depthlens
