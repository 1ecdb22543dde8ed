// SPDX-License-Identifier: Apache-2.0
// A CSV table; what was read is written and read again. The same bytes as a table of prompts, divided by
// commas and by tabs. And text made visible, which must come back.
#include "fuzz/check.hpp"
#include "fuzz/memory_files.hpp"
#include "fuzz/records.hpp"
#include "fuzz/targets.hpp"

#include "depthlens/base/lfs_pointer.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/data/csv_rows.hpp"
#include "depthlens/table/csv.hpp"

#include <string>
#include <vector>

namespace depthlens::fuzz {
namespace {

using table = std::vector<std::vector<std::string>>;

constexpr memory_limit limit{.times = 128, .base = std::size_t{256} << 10};

table read_table(const std::filesystem::path& path) {
  csv_reader reader(path);
  table out;
  if (reader.header().empty()) return out;
  out.push_back(reader.header());
  for (std::vector<std::string> row; reader.next(row);) out.push_back(row);
  return out;
}

}  // namespace

void csv(std::string_view input) {
  static memory_folder folder;
  constexpr std::string_view label = "table.csv";
  const std::string shown = visible(input);
  promise(from_visible(shown) == input, "text made visible does not come back");
  promise(utf8_first_broken(shown) == shown.npos, "visible text is not UTF-8");
  const auto path = folder.put(std::string(label), input);
  for (const char delimiter : {',', '\t'})
    read_records(label, input.size(), limit, [&] { return csv_row_reader(path, delimiter); });
  const auto rows = read_cleanly(label, input.size(), limit, [&] { return read_table(path); });
  if (!rows) return;
  for (const csv_quotes quotes : {csv_quotes::where_needed, csv_quotes::all_texts}) {
    std::string text;
    csv_writer writer([&](std::string_view row) { text += row; }, quotes);
    for (const std::vector<std::string>& row : *rows) {
      promise(row.size() == rows->front().size(), "rows of different widths");
      writer.row(row);
    }
    if (is_lfs_pointer(text)) continue;  // a quoted cell may spell one, which no reader takes for a table
    promise(read_table(folder.put("again.csv", text)) == *rows,
            "a table is another after writing and reading it");
  }
}

}  // namespace depthlens::fuzz
