// SPDX-License-Identifier: Apache-2.0
// The tables and figures of patching, and the sums over all pairs behind them.
#pragma once

#include "runs.hpp"

#include "depthlens/experiment.hpp"
#include "depthlens/study/exact_sum.hpp"
#include "depthlens/study/prompts_table.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens::patching {

enum : std::uint32_t { rows, prompts, summary, positions_table };  // the numbers of the tables

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
                 .title = title};
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
  std::uint64_t n = 0, source_option = 0, target_option = 0, source_top = 0, target_top = 0;
  std::uint64_t with_source_options = 0, with_target_options = 0;  // pairs whose prompt there has some
  exact_sum source_logprob, target_logprob, kl;

  void append(std::vector<dlens_value>& to) const {
    const auto share = [](std::uint64_t part, std::uint64_t of) {
      return of == 0 ? null_value() : f64_value(static_cast<double>(part) / static_cast<double>(of));
    };
    const auto mean = [](const exact_sum& s) { return s.mean() ? f64_value(*s.mean()) : null_value(); };
    to.insert(to.end(), {i64_value(static_cast<std::int64_t>(n)), share(source_option, with_source_options),
                         share(target_option, with_target_options), share(source_top, n),
                         share(target_top, n), mean(source_logprob), mean(target_logprob), mean(kl)});
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

  void add(const dlens_row& row, effect& to) const {
    ++to.n;
    to.with_source_options += source_mass_.is_null(row) ? 0 : 1;
    to.with_target_options += target_mass_.is_null(row) ? 0 : 1;
    to.source_option += guess_is_.text(row) == "source" ? 1 : 0;
    to.target_option += guess_is_.text(row) == "target" ? 1 : 0;
    to.source_top += guess_.i64(row) == source_.i64(row) ? 1 : 0;
    to.target_top += guess_.i64(row) == target_.i64(row) ? 1 : 0;
    to.source_logprob.add(source_logprob_.f64(row));
    to.target_logprob.add(target_logprob_.f64(row));
    to.kl.add(kl_.f64(row));
  }

  const row_column run, position, layer;

 private:
  const row_column target_, source_, target_logprob_, source_logprob_, guess_, guess_is_, source_mass_,
      target_mass_, kl_;
};

}  // namespace depthlens::patching
