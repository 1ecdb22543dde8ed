// SPDX-License-Identifier: Apache-2.0
// Records from a table of prompts: CSV, or TSV with tabs. The header row names the columns, in any order:
// "prompt" (required), "answer" and "text" (optional), and further ones, which become fields of their
// names. An empty cell is a missing value. What a table may look like is table/csv.hpp.
#pragma once

#include <depthlens/base/text.hpp>
#include <depthlens/data/record_reader.hpp>
#include <depthlens/table/csv.hpp>

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// One file, one thread. Errors are status::data "FILE:LINE: ...".
class csv_row_reader final : public record_reader {
 public:
  csv_row_reader(const std::filesystem::path& path, char delimiter) : table_(path, delimiter) {
    if (table_.header().empty())
      fail(status::data, table_.name(),
           ":1: the file is empty; expected a header row with a column \"prompt\"");
    std::set<std::string_view> names;
    for (const std::string& name : table_.header()) {
      if (name.empty()) table_.fail_row("column ", names.size() + 1, " of the header row has no name");
      if (!names.insert(name).second) table_.fail_row("two columns are called ", printable(name));
    }
    if (!names.contains("prompt"))
      table_.fail_row(
          "the header row has no column \"prompt\"; expected prompt,answer,text and others, divided by ",
          delimiter == '\t' ? "tabs" : "commas", ", found ", names.size(),
          names.size() == 1 ? " column, " : " columns, the first ", printable(table_.header()[0]));
    prompt_ = table_.column("prompt");
  }

  bool next(record& out) override {
    if (!table_.next(cells_)) return false;
    out = {.index = index_++, .kind = "prompt"};
    out.fields.emplace_back("prompt", cells_[prompt_]);
    for (std::size_t i = 0; i < cells_.size(); ++i)
      if (i != prompt_ && !cells_[i].empty()) out.fields.emplace_back(table_.header()[i], cells_[i]);
    const std::string* text = out.find("text");
    if (text != nullptr && !text->starts_with(cells_[prompt_]))
      table_.fail_row("row ", out.index,
                      ": \"text\" does not begin with \"prompt\"; it must be the source text "
                      "that the prompt is cut from");
    return true;
  }

 private:
  csv_reader table_;
  std::vector<std::string> cells_;
  std::size_t prompt_ = 0;
  std::uint64_t index_ = 0;
};

}  // namespace depthlens
