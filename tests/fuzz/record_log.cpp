// SPDX-License-Identifier: Apache-2.0
// The log of a run: any bytes as a log, as the entries of a log with right checksums, and as one entry.
#include "fuzz/check.hpp"
#include "fuzz/memory_files.hpp"
#include "fuzz/targets.hpp"

#include "log/record_log.hpp"

#include <xxhash.h>

#include <cstdint>
#include <memory>
#include <string>

namespace depthlens::fuzz {
namespace {

constexpr memory_limit limit{.times = 128, .base = std::size_t{64} << 10};

void put(std::string& out, std::uint64_t number, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(number >> (8 * i));
}

void touch_entry(const entry& e) {
  for (const logged_row& row : e.rows()) {
    touch(row.table.data(), row.table.size());
    for (const dlens_value& v : row.values)
      if (v.type == DLENS_TEXT) touch(v.as.text.data, v.as.text.size);
  }
  for (const entry::counted& c : e.counts()) {
    touch(c.set.data(), c.set.size());
    touch(c.reason.data(), c.reason.size());
  }
}

// Opens the log twice: what the first time leaves of it, the second time finds.
void open_log(memory_folder& folder, std::string_view bytes) {
  const auto path = folder.put("records.log", bytes);
  const auto open = [&] { return std::make_unique<depthlens::record_log>(path, [](std::string_view) {}); };
  const auto log = read_cleanly("log", bytes.size(), limit, open, {status::data, status::config});
  if (!log) return;
  promise(open()->size() == (*log)->size(), "a log has other entries when it is opened again");
  auto records = (*log)->read({"", "a", "s"}, [](const record_key&) { return true; });
  for (bool more = true; more;) {
    allow_refusal("log", [&] {
      const auto e = records.next();
      more = e != nullptr;
      if (more) touch_entry(*e);
    });
  }
}

}  // namespace

void record_log(std::string_view input) {
  static memory_folder folder;
  open_log(folder, input);
  const auto one = read_cleanly("log", input.size(), limit,
                                [&] { return std::make_unique<entry>(std::string(input), "log"); });
  if (one) touch_entry(**one);
  std::string right = "depthlens log 1\n";
  while (!input.empty()) {
    const std::string_view payload = take_block(input);
    put(right, payload.size(), 4);
    put(right, XXH3_64bits(payload.data(), payload.size()), 8);
    right += payload;
    if (payload.empty()) break;
  }
  open_log(folder, right);
}

}  // namespace depthlens::fuzz
