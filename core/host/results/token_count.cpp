// SPDX-License-Identifier: Apache-2.0
#include "results/token_count.hpp"

#include "depthlens/base/byte_source.hpp"
#include "depthlens/data/token_counts.hpp"
#include "terminal/log.hpp"

#include <vector>

namespace depthlens {

void count_tokens(const tokenizer& t, const std::filesystem::path& text, const std::filesystem::path& out) {
  byte_source file(text);
  std::error_code unknown;
  if (std::filesystem::equivalent(text, out, unknown))
    fail(status::usage, out.string(), ": is the text that is counted; choose another --out");
  std::vector<std::uint64_t> counts(t.size(), 0);
  std::uint64_t total = 0;
  for (std::string line; file.get_line(line);) {
    if (line.empty()) continue;
    for (const std::int32_t id : t.encode(line, tokenizer::special::add)) {
      ++counts[static_cast<std::size_t>(id)];
      ++total;
    }
  }
  if (total == 0) fail(status::data, text.string(), ": holds no tokens to count");
  std::vector<token_count> entries;
  for (std::size_t id = 0; id < counts.size(); ++id) {
    if (counts[id] == 0) continue;
    token_count entry{};
    entry.id = static_cast<std::int32_t>(id);
    entry.token = std::string(t.bytes(entry.id));
    entry.count = counts[id];
    entries.push_back(std::move(entry));
  }
  const std::size_t distinct = entries.size();
  write_token_counts(out, std::move(entries));
  log_info(cat(total, " tokens, ", distinct, " distinct ids -> ", out.string()));
}

}  // namespace depthlens
