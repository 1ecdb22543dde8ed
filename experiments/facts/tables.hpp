// SPDX-License-Identifier: Apache-2.0
// The tables of facts and how its rows are read back for the summaries. The published form of the rows is
// facts_published.hpp.
#pragma once

#include "depthlens/experiment.hpp"
#include "depthlens/study/depth_summary.hpp"
#include "depthlens/study/depth_tables.hpp"
#include "depthlens/study/failures.hpp"
#include "depthlens/study/layer_row.hpp"
#include "depthlens/study/prompts_table.hpp"
#include "depthlens/study/said_prompts.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens::facts {

// In the order of all_tables; those of the summaries follow.
enum table_number : std::uint32_t { rows_table, prompts_table_number };

// Answers of more tokens have rows but no curves, as published.
inline constexpr std::int64_t longest_in_figures = 3;

// A row of a fact that counts in the summaries: about which token of an answer of how many.
struct fact_row {
  std::int64_t answer_len = 0, token_num = 0;
  bool wrong = false;
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

// True answers count, where the model gives them itself; with `failures` also those that it begins otherwise,
// at their first token, where it has not been told anything yet.
inline fact_row_reader reader_of_facts(const description& tables, bool failures) {
  const auto column = [&](std::string_view id) { return tables.column_of(rows_table, id); };
  return [failures, correct = column("answer_correct"), begun = column("first_correct"),
          kind = column("answer_kind"), length = column("answer_len"), token = column("token_num"),
          read = depth_row_reader(tables, rows_table),
          read_gold = depth_row_reader(tables, rows_table, depth_of::gold)](
             const dlens_row& row) -> std::optional<fact_row> {
    if (kind.text(row) != "true") return std::nullopt;
    if (correct.i64(row) != 0) return fact_row{length.i64(row), token.i64(row), false, read(row)};
    const bool missed = failures && begun.i64(row) == 0 && token.i64(row) == 0;
    return missed ? std::optional(fact_row{length.i64(row), 0, true, read_gold(row)}) : std::nullopt;
  };
}

// The curves: lengths 1, 2, 3, each with its positions, and, so that no first dash pattern is that of the
// wrong, behind them the first positions of the wrong ones.
inline std::size_t category_of(std::int64_t length, std::int64_t token, bool wrong) {
  const auto first = [](std::int64_t n) { return n * (n - 1) / 2; };
  return static_cast<std::size_t>(wrong ? first(longest_in_figures + 1) + length - 1 : first(length) + token);
}
inline std::vector<depth_category> categories_of_facts(bool failures) {
  const auto name = [](std::int64_t length, std::int64_t position) {
    return cat(length, "-token (pos ", position, ")");
  };
  std::vector<depth_category> out;
  for (std::int64_t length = 1; length <= longest_in_figures; ++length)
    for (std::int64_t position = 1; position <= length; ++position) {
      depth_category& c = out.emplace_back(depth_category{name(length, position), {length, position}});
      if (failures) c.more.push_back(0), c.words = {cat("token ", position)};
    }
  for (std::int64_t length = 1; failures && length <= longest_in_figures; ++length)
    out.push_back({wrong_name(name(length, 1)), {length, 1, 1}, {wrong_name("token 1")}});
  return out;
}

// with_said: the run lets the model say texts.
inline std::vector<table> all_tables(table rows, bool published, bool failures, bool with_said) {
  std::vector<column> of_prompts = {{"answer", DLENS_TEXT, "the whole answer"}},
                      more = {{"answer_len", DLENS_I64, "tokens of the answer"},
                              {"token_pos", DLENS_I64, "which of them comes next, from 1"}};
  if (failures) {
    of_prompts.push_back({"first_correct", DLENS_I64, "1 = the model's own top-1 is gold, 0 = wrong"});
    of_prompts.push_back({"answer_correct", DLENS_I64, "1 = so at all tokens that are read"});
    more.push_back(wrong_column());
    more.push_back({"curve", DLENS_TEXT, "token_pos and wrong in words"});
  }
  if (with_said) of_prompts.push_back(said_prompts::said_column());
  std::vector<table> out = {std::move(rows),
                            prompts_table("prompts", "prompts_facts", std::move(of_prompts))};
  for (table& t : depth_tables("facts", published, more)) out.push_back(std::move(t));
  return out;
}

// The record's own first column of the table of prompts.
inline dlens_value answer_value(const record_view& record) {
  const std::optional<std::string_view> answer = record.find("answer");
  return answer ? text_value(*answer) : null_value();
}

}  // namespace depthlens::facts
