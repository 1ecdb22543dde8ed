// SPDX-License-Identifier: Apache-2.0
// The tables of depth_summary: what their columns mean.
#pragma once

#include "depthlens/experiment.hpp"
#include "depthlens/study/clustered.hpp"
#include "depthlens/study/layer_means.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace depthlens {

// The numbers of the tables in a description; a run as published has neither shares nor differences.
struct depth_table_numbers {
  std::uint32_t earliest, onsets, layers;
  std::optional<std::uint32_t> shares = {}, differences = {};
};

inline depth_table_numbers depth_table_numbers_of(const description& d, bool published) {
  depth_table_numbers out{d.table_number("earliest"), d.table_number("onsets"), d.table_number("layers")};
  if (!published) out.shares = d.table_number("shares"), out.differences = d.table_number("differences");
  return out;
}

namespace detail {

inline const column category_column = {"category", DLENS_TEXT, "what the prompts have in common"};

inline std::vector<column> earliest_columns() {
  std::vector<column> out = {
      category_column,
      {"k", DLENS_I64, "threshold"},
      {"mean_first", DLENS_F64, "first layer with rank <= k, mean over the n prompts that have one"},
      {"mean_stable", DLENS_F64, "first layer from which rank <= k holds to the end, mean over n_stable"},
      {"median_first", DLENS_F64, "as mean_first"},
      {"n", DLENS_I64, "prompts with rank <= k at some layer"},
      {"never", DLENS_I64, "prompts without"},
      {"std_first", DLENS_F64, "population standard deviation over the n prompts"},
      {"n_stable", DLENS_I64, "prompts with rank <= k at the last layer"},
      {"survival_mean", DLENS_F64,
       "first layer with rank <= k, mean over all prompts (Kaplan-Meier, the last layer for those without)"},
      {"survival_median", DLENS_F64, "median over all prompts, empty where half of them have none"}};
  for (const char* const mean : {"mean_first", "mean_stable", "survival_mean"})
    for (column& c : interval_columns(mean)) out.push_back(std::move(c));
  out.push_back(clusters_column("clusters behind mean_first"));
  return out;
}

inline std::vector<column> share_columns() {
  std::vector<column> out = {category_column,
                             {"k", DLENS_I64, "threshold: 1, 5, 50, 100, 500, 1000"},
                             {"layer", DLENS_I64, "0 = embeddings, i = output of block i - 1"},
                             {"share", DLENS_F64, "of prompts with rank <= k at this layer or before, 0..1"}};
  for (column& c : interval_columns("")) out.push_back(std::move(c));
  out.push_back({"n", DLENS_I64, "prompts"});
  out.push_back(clusters_column());
  return out;
}

inline std::vector<column> difference_columns() {
  std::vector<column> out = {
      category_column,
      {"other", DLENS_TEXT, "the category that it is compared with"},
      {"k", DLENS_I64, "threshold: 1, 5, 50, 100, 500, 1000"},
      {"difference", DLENS_F64, "survival_mean of category less that of other, layers"}};
  for (column& c : interval_columns("")) out.push_back(std::move(c));
  out.push_back({"above_zero", DLENS_F64, "share of the resamples in which it is positive, 0..1"});
  out.push_back(clusters_column("clusters of both"));
  return out;
}

}  // namespace detail

// The tables of depth_summary::write, ids "earliest", "onsets", "layers" and, but as published, "shares" and
// "differences". `more` are the experiment's own columns at the end of all but the last.
inline std::vector<table> depth_tables(const std::string& experiment, bool published,
                                       const std::vector<column>& more = {}) {
  const auto with_more = [&](std::vector<column> columns) {
    columns.insert(columns.end(), more.begin(), more.end());
    return columns;
  };
  std::vector<column> layers = {detail::category_column,
                                {"layer", DLENS_I64, "0 = embeddings, i = output of block i - 1"}};
  for (const column& c : layer_means::columns()) layers.push_back(c);
  std::vector<table> out = {
      {"earliest", "earliest_layer_" + experiment + "_{lens}", with_more(detail::earliest_columns()),
       DLENS_TABLE_SUMMARY},
      {"onsets", "onsets_" + experiment + "_{lens}",
       with_more({detail::category_column,
                  {"k", DLENS_I64, "threshold: 1, 5, 50, 100, 500, 1000"},
                  {"prompt_id", DLENS_I64, "row number in the input, from 0"},
                  {"first", DLENS_I64, "first layer with rank <= k, empty where there is none"},
                  {"stable", DLENS_I64, "first layer from which rank <= k holds to the end"},
                  {"n", DLENS_I64, "prompts of the category with a first layer"},
                  {"never", DLENS_I64, "prompts without"}}),
       DLENS_TABLE_SUMMARY},
      {"layers", "layers_" + experiment + "_{lens}", with_more(std::move(layers)), DLENS_TABLE_SUMMARY}};
  if (published) return out;
  out.push_back({"shares", "onset_shares_" + experiment + "_{lens}", with_more(detail::share_columns()),
                 DLENS_TABLE_SUMMARY});
  out.push_back({"differences", "onset_differences_" + experiment + "_{lens}", detail::difference_columns(),
                 DLENS_TABLE_SUMMARY});
  return out;
}

}  // namespace depthlens
