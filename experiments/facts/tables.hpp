// SPDX-License-Identifier: Apache-2.0
// The tables of facts and how its rows are read back for the summaries. The published form of the rows is
// facts_published.hpp.
#pragma once

#include "depthlens/experiment.hpp"
#include "depthlens/study/depth_summary.hpp"
#include "depthlens/study/layer_row.hpp"
#include "depthlens/study/prompts_table.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens::facts {

// In the order of all_tables.
enum table_number : std::uint32_t {
  rows_table,
  prompts_table_number,
  earliest_table,
  onsets_table,
  layers_table
};

// A row of a fact that counts in the summaries: about which token of an answer of how many.
struct fact_row {
  std::int64_t answer_len = 0, token_num = 0;
  depth_row at = {};
};
// Nothing for a row that does not count.
using fact_row_reader = std::function<std::optional<fact_row>(const dlens_row&)>;

inline table rows_of_facts() {
  return {
      "rows", "facts_{lens}",
      layer_columns(
          {{"token_num", DLENS_I64, "which token of the answer comes next, from 0"},
           {"answer_len", DLENS_I64, "tokens of the answer in this form"},
           {"form", DLENS_TEXT, "how the answer follows: source (as the text has it), blank, bare"},
           {"first_correct", DLENS_I64, "1 = the final top-1 at token 0 is the answer's"},
           {"all_before_correct", DLENS_I64, "1 = so at all tokens before this one"},
           {"answer_correct", DLENS_I64,
            "1 = so at all tokens that are read; these facts are in the figures"},
           {"answer_kind", DLENS_TEXT, "true, or new for the counterfactual answer; part of the row's key"},
           {"answer", DLENS_TEXT, "the whole answer"}})};
}

// True answers count, where the model gives them itself.
inline fact_row_reader reader_of_facts(const description& tables) {
  const auto column = [&](std::string_view id) { return tables.column_of(rows_table, id); };
  return [correct = column("answer_correct"), kind = column("answer_kind"), length = column("answer_len"),
          token = column("token_num"),
          read = depth_row_reader(tables, rows_table)](const dlens_row& row) -> std::optional<fact_row> {
    if (correct.i64(row) == 0 || kind.text(row) != "true") return std::nullopt;
    return fact_row{length.i64(row), token.i64(row), read(row)};
  };
}

// `rows`: those of facts, or the published ones.
inline std::vector<table> all_tables(table rows) {
  std::vector<table> out = {std::move(rows), prompts_table("prompts", "prompts_facts",
                                                           {{"answer", DLENS_TEXT, "the whole answer"}})};
  for (table& t : depth_tables("facts", {{"answer_len", DLENS_I64, "tokens of the answer"},
                                         {"token_pos", DLENS_I64, "which of them comes next, from 1"}}))
    out.push_back(std::move(t));
  return out;
}

// The record's own column of the table of prompts.
inline dlens_value answer_value(const record_view& record) {
  const std::optional<std::string_view> answer = record.find("answer");
  return answer ? text_value(*answer) : null_value();
}

}  // namespace depthlens::facts
