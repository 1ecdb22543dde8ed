// SPDX-License-Identifier: Apache-2.0
#include "commands/prompts.hpp"

#include "commands/command.hpp"
#include "depthlens/data/reader.hpp"
#include "model/token_ids.hpp"

#include <algorithm>
#include <sstream>

namespace depthlens {

std::vector<std::string> read_prompts(const std::string& file, std::uint64_t limit) {
  std::vector<std::string> out;
  const auto reader = open_records(file, detect_format(file), "prompt");
  for (record r; out.size() < limit && reader->next(r);) out.push_back(*r.find("prompt"));
  return out;
}

std::vector<std::int32_t> prompt_ids(const opened_model& model, std::string_view prompt) {
  const architecture& arch = model.files->arch();
  std::vector<std::int32_t> ids = model.tokens->encode_prompt(prompt);
  if (ids.size() > arch.max_positions)
    fail(status::data, "a prompt of ", ids.size(), " tokens; ", positions_text(arch));
  check_ids(ids, arch.vocab_size);
  return ids;
}

std::vector<std::uint32_t> parse_positions(const std::string& text, std::size_t n) {
  std::vector<std::uint32_t> out;
  if (text == "last" && n > 0) out.push_back(static_cast<std::uint32_t>(n - 1));
  if (text == "last" || (n == 0 && !text.empty())) return out;
  if (text == "all") {
    for (std::uint32_t i = 0; i < n; ++i) out.push_back(i);
    return out;
  }
  std::istringstream parts(text + ',');
  for (std::string part; std::getline(parts, part, ',');) {
    const bool from_end = part.starts_with('-');
    const std::uint64_t v =
        parse_number("positions", from_end ? part.substr(1) : part, from_end ? 1 : 0, 1u << 30);
    if (v > n || (!from_end && v >= n))
      fail(status::usage, "--positions ", text, ": the prompt has ", n, " tokens");
    out.push_back(static_cast<std::uint32_t>(from_end ? n - v : v));
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace depthlens
