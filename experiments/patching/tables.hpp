// SPDX-License-Identifier: Apache-2.0
// The tables and figures of patching, and the sums over all pairs behind them.
#pragma once

#include "runs.hpp"

#include "depthlens/experiment.hpp"
#include "depthlens/study/clustered.hpp"
#include "depthlens/study/clusters.hpp"
#include "depthlens/study/prompts_table.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens::patching {

enum : std::uint32_t { rows, prompts, summary, positions_table };  // the numbers of the tables

// In the order of effect::append_intervals.
inline constexpr std::array interval_measures = {
    "source_option", "target_option", "source_top", "target_top", "source_logprob", "target_logprob", "kl"};

// by_positions: with that of --patching.positions all.
inline std::vector<table> tables(bool by_positions) {
  const column layer = {"layer", DLENS_I64, "the state that enters block `layer` is changed, 0..n-1"};
  const column n = {"n", DLENS_I64, "pairs"};
  std::vector<column> measures = {
      n,
      {"source_option", DLENS_F64,
       "share of pairs answered with an option of the source's task alone, 0..1, of those that have "
       "options; empty where none has"},
      {"target_option", DLENS_F64, "with one of the target's task alone"},
      {"source_top", DLENS_F64, "share of pairs answered as the source by itself is"},
      {"target_top", DLENS_F64, "as the target by itself is"},
      {"source_logprob", DLENS_F64, "mean log-probability of the source's own top-1, nats"},
      {"target_logprob", DLENS_F64, "of the target's own top-1"},
      {"kl", DLENS_F64, "mean KL(run as it is || changed run), nats"}};
  std::vector<column> of_runs = {layer, {"run", DLENS_TEXT, "what takes the place of the target's state"}};
  std::vector<column> of_places = {layer,
                                   {"from_end", DLENS_I64, "tokens behind the position in the target"}};
  for (std::vector<column>* to : {&of_runs, &of_places})
    to->insert(to->end(), measures.begin(), measures.end());
  of_runs.push_back({"role", DLENS_TEXT, "patch or control"});
  of_runs.push_back({"label", DLENS_TEXT, "the run in words"});
  of_places.push_back({"label", DLENS_TEXT, "the position in words"});
  of_places.push_back({"drawn", DLENS_I64, "1 = in the figure: the last positions, then doubling"});
  for (std::vector<column>* to : {&of_runs, &of_places}) {
    for (const char* const measure : interval_measures)
      for (column& c : interval_columns(measure)) to->push_back(std::move(c));
    to->push_back(clusters_column("targets' clusters behind the intervals"));
  }
  std::vector<table> out = {
      {"rows",
       "patching",
       {{"prompt_id", DLENS_I64, "row number of the target"},
        {"source_id", DLENS_I64, "row number of the source"},
        {"run", DLENS_TEXT, "patch, or a control: self, random, position, mean"},
        {"position", DLENS_I64, "of the target, whose state is changed"},
        layer,
        {"target", DLENS_I64, "the target's own top-1"},
        {"target_text", DLENS_TEXT, "its text"},
        {"target_rank", DLENS_I64, "its rank in the changed run"},
        {"target_logprob", DLENS_F32, "nats"},
        {"source", DLENS_I64, "the source's own top-1"},
        {"source_text", DLENS_TEXT, "its text"},
        {"source_rank", DLENS_I64, "its rank in the changed run"},
        {"source_logprob", DLENS_F32, "nats"},
        {"guess", DLENS_I64, "top-1 of the changed run"},
        {"guess_text", DLENS_TEXT, "its text"},
        {"guess_is", DLENS_TEXT, "of whose options it is: source, target, both or neither"},
        {"source_mass", DLENS_F32, "probability of all options of the source, empty where it has none"},
        {"target_mass", DLENS_F32, "of the target"},
        {"entropy", DLENS_F32, "nats"},
        {"kl", DLENS_F32, "KL(run as it is || changed run), nats"}},
       DLENS_TABLE_SHARED},
      prompts_table("prompts", "prompts_patching", {{"set", DLENS_TEXT, "source or target"}}),
      {"summary", "patching_summary", std::move(of_runs), DLENS_TABLE_SHARED | DLENS_TABLE_SUMMARY}};
  if (by_positions)
    out.push_back(
        {"positions", "patching_positions", std::move(of_places), DLENS_TABLE_SHARED | DLENS_TABLE_SUMMARY});
  return out;
}

// by_positions: the figure of --patching.positions all in place of the others. options: some are known.
inline std::vector<figure> figures(bool by_positions, bool options) {
  const auto curve = [](const char* y, const char* label, const char* title, std::uint32_t flags = 0) {
    return panel{.x = "layer",
                 .y = y,
                 .x_label = "State entering block",
                 .y_label = label,
                 .flags = DLENS_PANEL_LAYER_X | flags,
                 .title = title,
                 .low = cat(y, "_low"),
                 .high = cat(y, "_high")};
  };
  constexpr std::uint32_t share = DLENS_PANEL_PERCENT_Y;
  if (by_positions) {
    std::vector<panel> panels = {curve("source_top", "Share of pairs", "Answered as the source", share),
                                 curve("kl", "Mean KL (nats)", "Change of the output")};
    for (panel& p : panels) p.where = "drawn=1";
    return {{.kind = DLENS_FIGURE_LINES,
             .id = "positions",
             .file = "patching_positions",
             .title = "Patched positions",
             .table = "positions",
             .panels = std::move(panels),
             .series = "label"}};
  }
  std::vector<figure> out;
  if (options)
    out.push_back(
        {.kind = DLENS_FIGURE_LINES,
         .id = "options",
         .file = "patching_options",
         .title = "Which task's options are answered",
         .table = "summary",
         .panels = {curve("source_option", "Share of pairs", "An option of the source's task", share),
                    curve("target_option", "Share of pairs", "An option of the target's task", share)},
         .series = "label",
         .dash = "role"});
  out.push_back({.kind = DLENS_FIGURE_LINES,
                 .id = "effect",
                 .file = "patching_effect",
                 .title = "Effect of the patch",
                 .table = "summary",
                 .panels = {curve("source_top", "Share of pairs", "Answered as the source", share),
                            curve("target_top", "Share of pairs", "Answered as the target", share),
                            curve("kl", "Mean KL (nats)", "Change of the output")},
                 .series = "label",
                 .dash = "role"});
  return out;
}

// Sums over pairs of one run and layer.
struct effect {
  clustered_rows pairs, with_source_options, with_target_options;  // those whose prompt there has some
  clustered_share source_option, target_option, source_top, target_top;
  clustered_mean source_surprise{nat_bits}, target_surprise{nat_bits}, kl{nat_bits};  // log-probability * -1

  void append(std::vector<dlens_value>& to) const {
    const auto value = [](const std::optional<double>& v) { return v ? f64_value(*v) : null_value(); };
    const auto logprob = [&](const clustered_mean& s) {
      return value(s.mean() ? std::optional(-*s.mean()) : std::nullopt);
    };
    to.insert(
        to.end(),
        {i64_value(static_cast<std::int64_t>(pairs.n())), value(source_option.of(with_source_options)),
         value(target_option.of(with_target_options)), value(source_top.of(pairs)),
         value(target_top.of(pairs)), logprob(source_surprise), logprob(target_surprise), value(kl.mean())});
  }
  // Of n clusters.
  void append_intervals(std::vector<dlens_value>& to, std::uint64_t n) const {
    append_interval(to, source_option.ends(with_source_options, n));
    append_interval(to, target_option.ends(with_target_options, n));
    append_interval(to, source_top.ends(pairs, n));
    append_interval(to, target_top.ends(pairs, n));
    for (const clustered_mean* const surprise : {&source_surprise, &target_surprise}) {
      const std::optional<interval> ends = surprise->ends(pairs, n);
      append_interval(to, ends ? std::optional(interval{-ends->high, -ends->low}) : std::nullopt);
    }
    append_interval(to, kl.ends(pairs, n));
    to.push_back(i64_value(static_cast<std::int64_t>(n)));
  }
};

// Reads the rows of the table `rows` back into sums.
class effect_reader {
 public:
  explicit effect_reader(const description& d)
      : run(d.column_of(rows, "run")),
        position(d.column_of(rows, "position")),
        layer(d.column_of(rows, "layer")),
        target_(d.column_of(rows, "target")),
        source_(d.column_of(rows, "source")),
        target_logprob_(d.column_of(rows, "target_logprob")),
        source_logprob_(d.column_of(rows, "source_logprob")),
        guess_(d.column_of(rows, "guess")),
        guess_is_(d.column_of(rows, "guess_is")),
        source_mass_(d.column_of(rows, "source_mass")),
        target_mass_(d.column_of(rows, "target_mass")),
        kl_(d.column_of(rows, "kl")) {}

  void add(const dlens_row& row, const cluster_weights& of, effect& to) const {
    to.pairs.add(of);
    if (!source_mass_.is_null(row)) to.with_source_options.add(of);
    if (!target_mass_.is_null(row)) to.with_target_options.add(of);
    to.source_option.add(of, guess_is_.text(row) == "source");
    to.target_option.add(of, guess_is_.text(row) == "target");
    to.source_top.add(of, guess_.i64(row) == source_.i64(row));
    to.target_top.add(of, guess_.i64(row) == target_.i64(row));
    to.source_surprise.add(of, -source_logprob_.f64(row));
    to.target_surprise.add(of, -target_logprob_.f64(row));
    to.kl.add(of, kl_.f64(row));
  }

  const row_column run, position, layer;

 private:
  const row_column target_, source_, target_logprob_, source_logprob_, guess_, guess_is_, source_mass_,
      target_mass_, kl_;
};

}  // namespace depthlens::patching
