// SPDX-License-Identifier: Apache-2.0
// The tables and figures of the tasks, and how the rows of a task are read back for its summary.
#pragma once

#include "downstream_published.hpp"
#include "option_summary.hpp"
#include "tasks.hpp"

#include "depthlens/experiment.hpp"
#include "depthlens/study/clustered.hpp"
#include "depthlens/study/layer_row.hpp"
#include "depthlens/study/prompts_table.hpp"
#include "depthlens/study/said_prompts.hpp"

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace depthlens::downstream {

inline table rows_of_options(const task& t) {
  return {"rows." + t.name, "downstream_" + t.name + "_{lens}",
          layer_columns(
              {{"option", DLENS_TEXT, "an answer of the task"},
               {"option_token", DLENS_I64, "the token by which it is read"},
               {"option_text", DLENS_TEXT, "its text"},
               {"option_is_gold", DLENS_I64, "1 = it is the data's answer"},
               {"option_rank", DLENS_I64,
                "1 + number of tokens with a larger logit (--score string: of options that are likelier)"},
               {"option_logprob", DLENS_F32, "of the token (--score string: of the whole option), nats"}})};
}

inline std::vector<table> tables_of(const task_list& tasks, const dlens_run& run) {
  const bool published = is_published(run);
  const column layer = {
      "layer", DLENS_I64,
      published ? "number of the block, from 0" : "0 = embeddings, i = output of block i - 1"};
  const column n = {"n", DLENS_I64, "prompts"};
  std::vector<table> out;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const task& t = tasks[i];
    out.push_back(published ? published_rows(t) : rows_of_options(t));
    std::vector<column> more;
    if (generated_tokens(run) > 0) more.push_back(said_prompts::said_column());
    out.push_back(prompts_table("prompts." + t.name, "prompts_downstream_" + t.name, std::move(more)));
    const std::vector<column> of_mean = interval_columns("mean_probability"), ends = interval_columns("");
    out.push_back({"options." + t.name,
                   "options_" + t.name + "_{lens}",
                   {layer,
                    {"option", DLENS_TEXT, "an answer of the task"},
                    n,
                    {"mean_rank", DLENS_F64, "mean of option_rank"},
                    {"median_rank", DLENS_F64, "median of option_rank"},
                    {"mean_probability", DLENS_F64, "0..1"},
                    {"answer", DLENS_TEXT,
                     "which prompts: any, or those whose answer the option is (right), or is not (wrong)"},
                    {"lower_quartile_rank", DLENS_F64, "a quarter of the ranks are below it"},
                    {"upper_quartile_rank", DLENS_F64, "a quarter of the ranks are above it"},
                    of_mean[0],
                    of_mean[1],
                    clusters_column()},
                   DLENS_TABLE_SUMMARY});
    out.push_back({"accuracy." + t.name,
                   "accuracy_" + t.name + "_{lens}",
                   {layer,
                    {"measure", DLENS_TEXT, "see the README of the experiment"},
                    {"value", DLENS_F64, "share of prompts or mean probability, 0..1"},
                    n,
                    {"label", DLENS_TEXT, "the measure in words"},
                    ends[0],
                    ends[1],
                    clusters_column()},
                   DLENS_TABLE_SUMMARY});
  }
  return out;
}

// Two for each task: of its options, and of its accuracy.
inline std::vector<figure> figures_of(const task_list& tasks) {
  // Ranks with their quartiles, probabilities with the intervals of their means.
  const auto ranks = [](const char* title, const char* where) {
    return panel{.x = "layer",
                 .y = "median_rank",
                 .x_label = "Layer",
                 .y_label = "Median rank (band: quartiles)",
                 .flags = DLENS_PANEL_LAYER_X | DLENS_PANEL_LOG_Y,
                 .title = title,
                 .where = where,
                 .low = "lower_quartile_rank",
                 .high = "upper_quartile_rank"};
  };
  const auto shares = [](const char* y, const char* label, const char* title, const char* where,
                         const std::string& ends) {
    return panel{.x = "layer",
                 .y = y,
                 .x_label = "Layer",
                 .y_label = label,
                 .flags = DLENS_PANEL_LAYER_X | DLENS_PANEL_PERCENT_Y,
                 .title = title,
                 .where = where,
                 .low = ends + "low",
                 .high = ends + "high"};
  };
  const auto probabilities = [&](const char* title, const char* where) {
    return shares("mean_probability", "Mean probability", title, where, "mean_probability_");
  };
  std::vector<figure> out;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const std::string& name = tasks[i].name;
    out.push_back(
        {.kind = DLENS_FIGURE_LINES,
         .id = "options." + name,
         .file = "options_" + name + "_{lens}",
         .title = "Options of " + name,
         .table = "options." + name,
         .panels = {ranks("Where it is right", "answer=right"), ranks("Where it is wrong", "answer=wrong"),
                    probabilities("Where it is right", "answer=right"),
                    probabilities("Where it is wrong", "answer=wrong")},
         .series = "option"});
    out.push_back({.kind = DLENS_FIGURE_LINES,
                   .id = "accuracy." + name,
                   .file = "accuracy_" + name + "_{lens}",
                   .title = "Option accuracy of " + name,
                   .table = "accuracy." + name,
                   .panels = {shares("value", "Share of prompts", "", "", "")},
                   .series = "label"});
  }
  return out;
}

// Puts the rows of one task, in their order, together to layers of prompts. A row is one option of a layer;
// prompts can have fewer than the task.
class option_row_reader {
 public:
  option_row_reader(const description& tables, const task& of, option_summary& to)
      : layer_(tables.column_of(of.table(task_table::rows), "layer")),
        guess_(tables.column_of(of.table(task_table::rows), "guess")),
        token_(tables.column_of(of.table(task_table::rows), "option_token")),
        is_gold_(tables.column_of(of.table(task_table::rows), "option_is_gold")),
        rank_(tables.column_of(of.table(task_table::rows), "option_rank")),
        logprob_(tables.column_of(of.table(task_table::rows), "option_logprob")),
        to_(to) {}

  void add(const dlens_row& row) {
    if (layer_.i64(row) != at_.layer) end_layer();
    at_.layer = layer_.i64(row);
    const std::int64_t token = token_.i64(row);
    if (is_gold_.i64(row) != 0) at_.gold = at_.options.size();
    at_.top_is_option = at_.top_is_option || token == guess_.i64(row);
    at_.options.push_back({static_cast<std::uint64_t>(rank_.i64(row)), std::exp(logprob_.f64(row)), token});
  }

  // After the last row of a prompt.
  void end_layer() {
    if (!at_.options.empty()) to_.add(std::exchange(at_, {}));
  }

 private:
  row_column layer_, guess_, token_, is_gold_, rank_, logprob_;
  option_summary& to_;
  options_at_layer at_;
};

}  // namespace depthlens::downstream
