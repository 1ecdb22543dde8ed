// SPDX-License-Identifier: Apache-2.0
// The table prompts_*: one line for each prompt with its text, ids and gold token, and whether it was kept or
// why not, so that the tables with a row for each layer need not repeat it.
#pragma once

#include "depthlens/base/text.hpp"
#include "depthlens/experiment.hpp"
#include "depthlens/study/clusters.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

inline std::string ids_text(std::span<const std::int32_t> ids) {
  std::string out;
  for (const std::int32_t id : ids) {
    if (!out.empty()) out += ' ';
    out += std::to_string(id);
  }
  return out;
}

// Shared by all lenses. `more` are the experiment's own columns at the end.
inline table prompts_table(std::string id, std::string file, std::vector<column> more = {}) {
  std::vector<column> columns = {
      {"prompt_id", DLENS_I64, "row number in the input, from 0"},
      {"text", DLENS_TEXT, "the prompt; bytes that are no UTF-8 as \\xNN"},
      {"ids", DLENS_TEXT, "its token ids, divided by blanks; special ids included"},
      {"gold", DLENS_I64, "id of the data's answer, empty where there is none"},
      {"kept", DLENS_I64, "1 = has rows in the other tables"},
      {"reason", DLENS_TEXT, "why it was not kept, empty where it was"},
      {std::string(cluster_column), DLENS_I64,
       "the same for prompts that share a subject or a text, see share/doc/intervals.md"}};
  columns.insert(columns.end(), more.begin(), more.end());
  return {std::move(id), std::move(file), std::move(columns), DLENS_TABLE_SHARED};
}

struct prompt_line {
  std::uint64_t prompt_id = 0;
  std::string_view text = {};
  std::span<const std::int32_t> ids = {};
  std::optional<std::int32_t> gold = {};
  std::string_view reason = {};  // empty = kept
  std::int64_t cluster = 0;      // cluster_of(record)
};

// Appends the line.
inline void list_prompt(const sink_view& sink, std::uint32_t table, const prompt_line& line,
                        std::span<const dlens_value> more = {}) {
  const std::string text = visible(line.text), ids = ids_text(line.ids);
  std::vector<dlens_value> values = {i64_value(static_cast<std::int64_t>(line.prompt_id)),
                                     text_value(text),
                                     text_value(ids),
                                     line.gold ? i64_value(*line.gold) : null_value(),
                                     i64_value(line.reason.empty() ? 1 : 0),
                                     line.reason.empty() ? null_value() : text_value(line.reason),
                                     i64_value(line.cluster)};
  values.insert(values.end(), more.begin(), more.end());
  sink.append(table, values);
}

// The same, and counts it as kept or not kept under `set`.
inline void append_prompt(const sink_view& sink, std::uint32_t table, const prompt_line& line,
                          std::string_view set, std::span<const dlens_value> more = {}) {
  list_prompt(sink, table, line, more);
  sink.count(set, line.reason);
}

// The same for a record that the input makes no whole one of; it has no ids.
inline void append_left_out(const sink_view& sink, std::uint32_t table, const record_view& record,
                            std::string_view set, std::span<const dlens_value> more = {}) {
  append_prompt(sink, table,
                {.prompt_id = record.index(),
                 .text = record.find("prompt").value_or(""),
                 .reason = record.left_out(),
                 .cluster = cluster_of(record)},
                set, more);
}

}  // namespace depthlens
