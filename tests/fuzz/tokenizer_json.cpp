// SPDX-License-Identifier: Apache-2.0
// A tokenizer.json, and text through what it describes.
#include "fuzz/check.hpp"
#include "fuzz/memory_files.hpp"
#include "fuzz/targets.hpp"
#include "fuzz/tokens.hpp"

namespace depthlens::fuzz {

void tokenizer_json(std::string_view input) {
  static memory_folder folder;
  const auto path = folder.put("tokenizer.json", input);
  const auto tokens =
      read_cleanly("tokenizer.json", input.size(), {.times = 64}, [&] { return tokenizer::from_json(path); });
  if (tokens) check_tokenizer(*tokens, input);
}

}  // namespace depthlens::fuzz
