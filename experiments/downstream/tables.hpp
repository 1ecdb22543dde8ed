// SPDX-License-Identifier: Apache-2.0
// The tables and figures of the tasks, and how the rows of a task are read back for its summary.
#pragma once

#include "option_summary.hpp"
#include "tasks.hpp"

#include "depthlens/base/text.hpp"
#include "depthlens/experiment.hpp"
#include "depthlens/study/layer_row.hpp"
#include "depthlens/study/prompts_table.hpp"
#include "depthlens/study/seed_names.hpp"

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::downstream {

// Places of the own columns behind those of layer_row.
namespace option_column {
enum : std::size_t { option = layer_column::count, token, text, is_gold, rank, logprob };
}

// Places in the published form of the rows; from `first` on, rank and probability of each option.
namespace seed_column {
enum : std::size_t { layer, prompt_index, prompt, output, prediction, answer, first };
}

inline table rows_table(const task& t, bool seed_compat) {
  const std::string id = "rows." + t.name;
  if (!seed_compat)
    return {id, "downstream_" + t.name + "_{lens}",
            layer_columns(
                {{"option", DLENS_TEXT, "an answer of the task"},
                 {"option_token", DLENS_I64, "the token by which it is read"},
                 {"option_text", DLENS_TEXT, "its text"},
                 {"option_is_gold", DLENS_I64, "1 = it is the data's answer"},
                 {"option_rank", DLENS_I64,
                  "1 + number of tokens with a larger logit (--score string: of options that are likelier)"},
                 {"option_logprob", DLENS_F32, "of the token (--score string: of the whole option), nats"}})};
  std::vector<column> columns = {
      {"layer", DLENS_TEXT, "the block whose output is read"},
      {"prompt index", DLENS_I64, "row number in the input, from 0"},
      {"prompt", DLENS_TEXT, "as it was run"},
      {"model output", DLENS_TEXT, "the model's own top-1, without white space around it"},
      {"model token prediction", DLENS_I64, "its id"},
      {"answer", DLENS_TEXT, "of the data"}};
  for (const std::string& option : t.options) {
    columns.push_back({option + " rank", DLENS_I64, "over the vocabulary"});
    columns.push_back({option + " prob", DLENS_F64, "0..1"});
  }
  return {id, "{name}_" + t.name + "_options_analysis{_lens}", std::move(columns)};
}

inline std::vector<table> tables_of(const task_list& tasks, bool seed_compat) {
  const column layer = {
      "layer", DLENS_I64,
      seed_compat ? "number of the block, from 0" : "0 = embeddings, i = output of block i - 1"};
  const column n = {"n", DLENS_I64, "prompts"};
  std::vector<table> out;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const task& t = tasks[i];
    out.push_back(rows_table(t, seed_compat));
    out.push_back(prompts_table("prompts." + t.name, "prompts_downstream_" + t.name));
    out.push_back({"options." + t.name,
                   "options_" + t.name + "_{lens}",
                   {layer,
                    {"option", DLENS_TEXT, "an answer of the task"},
                    n,
                    {"mean_rank", DLENS_F64, "mean of option_rank"},
                    {"median_rank", DLENS_F64, "median of option_rank"},
                    {"mean_probability", DLENS_F64, "0..1"}},
                   DLENS_TABLE_SUMMARY});
    out.push_back({"accuracy." + t.name,
                   "accuracy_" + t.name + "_{lens}",
                   {layer,
                    {"measure", DLENS_TEXT, "see the README of the experiment"},
                    {"value", DLENS_F64, "share of prompts or mean probability, 0..1"},
                    n,
                    {"label", DLENS_TEXT, "the measure in words"}},
                   DLENS_TABLE_SUMMARY});
  }
  return out;
}

// Two for each task: of its options, and of its accuracy.
inline std::vector<figure> figures_of(const task_list& tasks) {
  std::vector<figure> out;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const std::string& name = tasks[i].name;
    figure ranks{DLENS_FIGURE_LINES,
                 "options." + name,
                 "options_" + name + "_{lens}",
                 "Options of " + name,
                 "options." + name,
                 {{"layer", "mean_rank", "Layer", "Mean rank", DLENS_FIGURE_LAYER_X | DLENS_FIGURE_LOG_Y},
                  {"layer", "median_rank", "Layer", "Median rank", DLENS_FIGURE_LAYER_X | DLENS_FIGURE_LOG_Y},
                  {"layer", "mean_probability", "Layer", "Mean probability",
                   DLENS_FIGURE_LAYER_X | DLENS_FIGURE_PERCENT_Y}}};
    ranks.series = "option";
    figure shares{DLENS_FIGURE_LINES,
                  "accuracy." + name,
                  "accuracy_" + name + "_{lens}",
                  "Option accuracy of " + name,
                  "accuracy." + name,
                  {{"layer", "value", "Layer", "Share", DLENS_FIGURE_LAYER_X | DLENS_FIGURE_PERCENT_Y}}};
    shares.series = "label";
    out.push_back(std::move(ranks));
    out.push_back(std::move(shares));
  }
  return out;
}

// Puts the rows of one task, in their order, together to layers of prompts.
class layer_reader {
 public:
  layer_reader(const task& of, bool seed_compat, option_summary& to)
      : of_(of), seed_compat_(seed_compat), to_(to) {}

  void add(const dlens_row& row) {
    if (record_ && *record_ != row.record) end();
    record_ = row.record;
    if (seed_compat_)
      add_seed(row.values);
    else
      add_option(row.values);
  }

  // Of the last prompt.
  void end() {
    end_layer();
    to_.end_prompt();
  }

 private:
  void end_layer() {
    if (!at_.options.empty()) to_.add(std::exchange(at_, {}));
  }

  // A row is one option of a layer; prompts can have fewer than the task.
  void add_option(const dlens_value* v) {
    if (v[layer_column::layer].as.i64 != at_.layer) end_layer();
    at_.layer = v[layer_column::layer].as.i64;
    const std::int64_t token = v[option_column::token].as.i64;
    if (v[option_column::is_gold].as.i64 != 0) at_.gold = at_.options.size();
    at_.top_is_option = at_.top_is_option || token == v[layer_column::guess].as.i64;
    at_.options.push_back({static_cast<std::uint64_t>(v[option_column::rank].as.i64),
                           std::exp(v[option_column::logprob].as.f64), token});
  }

  // A row is a layer.
  void add_seed(const dlens_value* v) {
    options_at_layer at;
    at.layer = seed_layer_number(to_view(v[seed_column::layer].as.text));
    at.gold = of_.number_of(to_view(v[seed_column::answer].as.text));
    for (std::size_t o = 0; o < of_.options.size(); ++o) {
      const auto rank = static_cast<std::uint64_t>(v[seed_column::first + 2 * o].as.i64);
      at.top_is_option = at.top_is_option || rank == 1;
      at.options.push_back({rank, v[seed_column::first + 2 * o + 1].as.f64, of_.seed_tokens[o]});
    }
    to_.add(std::move(at));
  }

  const task& of_;
  bool seed_compat_;
  option_summary& to_;
  std::optional<std::uint64_t> record_;
  options_at_layer at_;
};

}  // namespace depthlens::downstream
