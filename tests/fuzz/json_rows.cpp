// SPDX-License-Identifier: Apache-2.0
// JSON data files: told apart by their first item, and read as each of the forms that JSON files have.
#include "fuzz/check.hpp"
#include "fuzz/memory_files.hpp"
#include "fuzz/records.hpp"
#include "fuzz/targets.hpp"

#include "depthlens/data/reader.hpp"
#include "depthlens/data/token_counts.hpp"

#include <memory>

namespace depthlens::fuzz {
namespace {

// A reader behind a pointer, as the program uses it.
struct opened {
  std::unique_ptr<record_reader> reader;
  bool next(record& out) { return reader->next(out); }
};

constexpr memory_limit limit{.times = 128, .base = std::size_t{256} << 10};

void read_as_told(const std::filesystem::path& path, std::size_t size) {
  const auto format = read_cleanly("rows.json", size, limit, [&] { return detect_format(path); });
  if (!format) return;
  const bool facts = *format == file_format::mquake || *format == file_format::counterfact;
  read_records("rows.json", size, limit,
               [&] { return opened{open_records(path, *format, facts ? "fact" : "prompt")}; });
}

}  // namespace

void json_rows(std::string_view input) {
  static memory_folder folder;
  const auto path = folder.put("rows.json", input);
  const std::size_t size = input.size();
  constexpr std::string_view label = "rows.json";
  read_as_told(path, size);
  read_records(label, size, limit, [&] { return row_reader(path, json_form::list); });
  read_records(label, size, limit, [&] { return row_reader(path, json_form::lines); });
  read_records(label, size, limit, [&] { return mquake_reader(path); });
  read_records(label, size, limit, [&] { return counterfact_reader(path); });
  const auto counts = read_cleanly(label, size, limit, [&] { return token_counts::read(path); });
  if (!counts) return;
  std::uint64_t total = 0;
  for (const token_count& entry : counts->entries()) {
    promise(entry.id >= 0 && counts->contains(entry.id), "a token id that is not in its table");
    total += entry.count;
  }
  promise(total == counts->total(), "the counts have another sum");
  allow_refusal(label, [&] {
    counts->check_tokenizer([](std::int32_t id) { return std::optional<std::string>(std::to_string(id)); });
  });
}

}  // namespace depthlens::fuzz
