// SPDX-License-Identifier: Apache-2.0
// The task as the published code has it, for --seed-compat: every option is read by the last token of "
// option", there is one row for each block, and lists of options are not looked at (tasks.hpp).
#pragma once

#include "option_summary.hpp"
#include "tasks.hpp"

#include "depthlens/base/utf8.hpp"
#include "depthlens/experiment.hpp"
#include "depthlens/study/layer_row.hpp"
#include "depthlens/study/options.hpp"
#include "depthlens/study/published.hpp"
#include "depthlens/study/white_space.hpp"

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens::downstream {

inline std::string published_rank_column(const std::string& option) { return option + " rank"; }
inline std::string published_probability_column(const std::string& option) { return option + " prob"; }

inline table published_rows(const task& t) {
  std::vector<column> columns = {
      {"layer", DLENS_TEXT, "the block whose output is read"},
      {"prompt index", DLENS_I64, "row number in the input, from 0"},
      {"prompt", DLENS_TEXT, "as it was run"},
      {"model output", DLENS_TEXT, "the model's own top-1, without white space around it"},
      {"model token prediction", DLENS_I64, "its id"},
      {"answer", DLENS_TEXT, "of the data"}};
  for (const std::string& option : t.options) {
    columns.push_back({published_rank_column(option), DLENS_I64, "over the vocabulary"});
    columns.push_back({published_probability_column(option), DLENS_F64, "0..1"});
  }
  return {"rows." + t.name, "{name}_" + t.name + "_options_analysis{_lens}", std::move(columns)};
}

inline prompt_options published_options(const dlens_run& run, const tokenizer_view& tokenizer,
                                        std::string_view prompt, const task& of) {
  prompt_ids encoded = encode_prompt(run, tokenizer, prompt);
  prompt_options out{.prompt = std::move(encoded.ids), .reason = encoded.reason};
  for (const std::int32_t token : of.last_tokens) out.ids.push_back({token});
  return out;
}

inline void append_published_rows(const task& of, std::string_view prompt, const record_view& record,
                                  const dlens_reading& reading, const tokenizer_view& tokenizer,
                                  const sink_view& sink) {
  const std::string text = tokenizer.is_special(reading.final_top)
                               ? std::string()
                               : published_decoder(tokenizer).text(reading.final_top);
  each_published_layer(reading, [&](std::size_t i, std::string_view layer) {
    std::vector<dlens_value> values = {text_value(layer),
                                       i64_value(static_cast<std::int64_t>(record.index())),
                                       text_value(prompt),
                                       text_value(utf8_strip(text)),
                                       i64_value(reading.final_top),
                                       text_value(*answer_of(record))};
    for (const std::int32_t token : of.last_tokens) {
      const std::size_t k = target_index(reading, token);
      values.push_back(i64_value(reading.rank[k][i]));
      values.push_back(f64_value(std::exp(static_cast<double>(reading.logprob[k][i]))));
    }
    sink.append(of.table(task_table::rows), values);
  });
}

// Reads the rows of one task back. A row is a whole layer of a prompt.
class published_row_reader {
 public:
  published_row_reader(const description& tables, const task& of, option_summary& to)
      : of_(of),
        to_(to),
        layer_(tables.column_of(of.table(task_table::rows), "layer")),
        answer_(tables.column_of(of.table(task_table::rows), "answer")) {
    const std::uint32_t table = of.table(task_table::rows);
    for (const std::string& option : of.options)
      options_.push_back({tables.column_of(table, published_rank_column(option)),
                          tables.column_of(table, published_probability_column(option))});
  }

  void add(const dlens_row& row) {
    options_at_layer at;
    at.layer = published_layer_number(layer_.text(row));
    at.gold = of_.number_of(answer_.text(row));
    for (std::size_t o = 0; o < options_.size(); ++o) {
      const auto rank = static_cast<std::uint64_t>(options_[o].rank.i64(row));
      at.top_is_option = at.top_is_option || rank == 1;
      at.options.push_back({rank, options_[o].probability.f64(row), of_.last_tokens[o]});
    }
    to_.add(std::move(at));
  }
  void end_layer() {}

 private:
  struct option_columns {
    row_column rank, probability;
  };
  const task& of_;
  option_summary& to_;
  row_column layer_, answer_;
  std::vector<option_columns> options_;
};

}  // namespace depthlens::downstream
