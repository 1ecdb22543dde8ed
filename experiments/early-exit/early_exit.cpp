// SPDX-License-Identifier: Apache-2.0
// Early exit: what would be lost, and which share of the blocks saved, if a layer's guess were taken for the
// model's own? By layer, and with an exit at the first layer that is sure enough. The sums are exits.hpp.
#include "exits.hpp"
#include "own_texts.hpp"

#include "depthlens/base/text.hpp"
#include "depthlens/experiment.hpp"
#include "depthlens/study/clustered.hpp"
#include "depthlens/study/clusters.hpp"
#include "depthlens/study/layer_row.hpp"
#include "depthlens/study/next_token_reads.hpp"
#include "depthlens/study/prompts_table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens::early_exit {
namespace {

enum : std::uint32_t { rows, prompts, layers, sweep, texts };  // the numbers of the tables

std::vector<double> thresholds_of(const option_values& values) {
  std::vector<double> out;
  for (const std::string& text : values.all("confidence")) out.push_back(std::stod(text));
  if (out.empty()) {
    for (int i = 1; i < 20; ++i) out.push_back(i / 20.0);
    out.push_back(0.99);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

table table_of_texts() {
  return {"texts",
          "early_exit_texts_{lens}",
          {{"prompt_id", DLENS_I64, "row number in the input, from 0"},
           {"layer", DLENS_I64, "that wrote the text; the last is the model itself"},
           {"tokens", DLENS_I64, "of the text"},
           {"places", DLENS_I64, "tokens of the longer one, it or the model's own text"},
           {"same", DLENS_I64, "places at which the model's own text has the same token"},
           {"beginning", DLENS_I64, "tokens before the first that differs"},
           {"text", DLENS_TEXT, "what the layer wrote behind the prompt"}}};
}

std::vector<table> tables(bool with_texts) {
  const column layer = {"layer", DLENS_I64, "0 = embeddings, i = output of block i - 1"};
  const column n = {"n", DLENS_I64, "positions"};
  std::vector<table> out = {
      {"rows",
       "early-exit_{lens}",
       {{"prompt_id", DLENS_I64, "row number in the input, from 0"},
        {"position", DLENS_I64, "place of the token read, from 0; special ids included"},
        layer,
        {"depth", DLENS_F64, "layer / number of blocks"},
        {"guess", DLENS_I64, "top-1 of this layer"},
        {"guess_text", DLENS_TEXT, "its text"},
        {"confidence", DLENS_F32, "its probability at this layer, 0..1"},
        {"final", DLENS_I64, "the model's own top-1"},
        {"final_probability", DLENS_F32, "what this layer gives to it, 0..1"},
        {"match", DLENS_I64, "1 = the guess is the model's own top-1"}}},
      prompts_table("prompts", "prompts_early-exit"),
      {"layers",
       "early_exit_layers_{lens}",
       {layer,
        {"measure", DLENS_TEXT, "match_rate, final_probability, confidence, text_same or text_beginning"},
        {"value", DLENS_F64, "0..1, mean over positions, of texts over prompts"},
        {"n", DLENS_I64, "positions or prompts"},
        {"label", DLENS_TEXT, "the measure in words"},
        interval_columns("")[0],
        interval_columns("")[1],
        clusters_column()},
       DLENS_TABLE_SUMMARY},
      {"sweep",
       "early_exit_sweep_{lens}",
       {{"confidence", DLENS_F64, "exit at the first layer from 1 on whose guess has that probability"},
        n,
        {"mean_exit_layer", DLENS_F64, "n where no layer is as sure"},
        {"early", DLENS_F64, "share of positions that exit before layer n, 0..1"},
        {"match_rate", DLENS_F64, "share whose guess at the exit is the model's own top-1, 0..1"},
        {"saved", DLENS_F64, "share of the blocks that are not computed, 0..1"},
        interval_columns("mean_exit_layer")[0],
        interval_columns("mean_exit_layer")[1],
        interval_columns("match_rate")[0],
        interval_columns("match_rate")[1],
        clusters_column()},
       DLENS_TABLE_SUMMARY}};
  if (with_texts) out.push_back(table_of_texts());
  return out;
}

std::vector<figure> figures() {
  return {{.kind = DLENS_FIGURE_LINES,
           .id = "layers",
           .file = "early_exit_layers_{lens}",
           .title = "Early exit by layer",
           .table = "layers",
           .panels = {{.x = "layer",
                       .y = "value",
                       .x_label = "Layer",
                       .y_label = "Mean over positions or texts",
                       .flags = DLENS_PANEL_PERCENT_Y | DLENS_PANEL_LAYER_X,
                       .low = "low",
                       .high = "high"}},
           .series = "label"},
          {.kind = DLENS_FIGURE_LINES,
           .id = "sweep",
           .file = "early_exit_sweep_{lens}",
           .title = "Blocks saved against answers kept",
           .table = "sweep",
           .panels = {{.x = "saved",
                       .y = "match_rate",
                       .x_label = "Share of blocks saved",
                       .y_label = "Same answer as the whole model",
                       .flags = DLENS_PANEL_PERCENT_Y | DLENS_PANEL_MARKERS,
                       .low = "match_rate_low",
                       .high = "match_rate_high"},
                      {.x = "confidence",
                       .y = "mean_exit_layer",
                       .x_label = "Confidence asked for",
                       .y_label = "Mean exit layer",
                       .flags = DLENS_PANEL_MARKERS,
                       .low = "mean_exit_layer_low",
                       .high = "mean_exit_layer_high"}}}};
}

class early_exit_study final : public study {
 public:
  early_exit_study(const dlens_run& run, const option_values& values)
      : run_(run),
        reads_(run, values, 1),
        texts_(run, static_cast<std::uint32_t>(std::stoul(values.at("tokens"))),
               generated_tokens(run) > 0 ? 1 : 0),
        thresholds_(thresholds_of(values)),
        description_(tables(texts_.tokens() > 0), figures()) {
    if (texts_.tokens() > 0 && values.at("whitespace") == "retry")
      fail(status::usage, "--early-exit.tokens cannot go with --whitespace retry, which changes the prompt");
  }

  static constexpr bool reads_generated = true;
  static std::span<const dlens_option> options() {
    static const std::array list = {
        make_option({.id = "confidence",
                     .type = DLENS_OPTION_F64,
                     .help = "Exit at the first layer whose guess has this probability; without it a sweep "
                             "from 0.05 to 0.99.",
                     .min = 1e-6,
                     .max = 1,
                     .flags = DLENS_GIVEN_REPEATEDLY}),
        make_option({.id = "tokens",
                     .type = DLENS_OPTION_I64,
                     .fallback = "0",
                     .help =
                         "Let each layer write so many tokens behind a prompt by itself, and compare them "
                         "with the model's.",
                     .least = 0,
                     .most = 256}),
        positions_option(), whitespace_option("keep")};
    return list;
  }
  static std::span<const dlens_input> inputs() {
    static constexpr const char* kinds[] = {"prompt", "cut", nullptr};
    static const std::array list = {make_input("", kinds)};
    return list;
  }

  const description& describe() override { return description_; }

  void plan(const record_view& record, const tops_view& answers, const request_view& request) const override {
    reads_.plan(record, answers, request);
    if (texts_.tokens() == 0 || answers.rounds() > 0) return;
    const prompt_ids prompt = reads_.encode(record.at("prompt"));
    if (can_write(prompt)) texts_.ask(prompt.ids, request);
  }

  void left_out(const record_view& record, const sink_view& sink) const override {
    append_left_out(sink, prompts, record, "");
  }

  void consume(const record_view& record, const answers_view& answers, std::uint32_t lens,
               const sink_view& sink) const override {
    const next_token_result result = reads_.result(record, answers);
    append_prompt(sink, prompts,
                  {.prompt_id = record.index(),
                   .text = result.prompt,
                   .ids = result.ids,
                   .reason = result.reason,
                   .cluster = cluster_of(record)},
                  "");
    const tokenizer_view tokenizer(run_.tokenizer);
    for (const auto& [position, reading] : result.reads)
      for (std::uint32_t i = 0; i < reading->n_layers; ++i) {
        const std::int32_t guess = reading->guess[i];
        const std::string text = visible(tokenizer.bytes(guess));
        sink.append(
            rows,
            std::array{i64_value(static_cast<std::int64_t>(record.index())),
                       i64_value(static_cast<std::int64_t>(position)), i64_value(reading->layers[i]),
                       f64_value(static_cast<double>(reading->layers[i]) / run_.n_layers), i64_value(guess),
                       text_value(text), f32_value(std::exp(top_logprob_of(*reading, i)[0])),
                       i64_value(reading->final_top), f32_value(std::exp(reading->logprob[0][i])),
                       i64_value(guess == reading->final_top ? 1 : 0)});
      }
    if (texts_.tokens() > 0 && result.reason.empty()) append_texts(record, answers, lens, sink);
  }

  void finish(const rows_view& all, std::uint32_t lens, const sink_view& sink) const override {
    const auto column = [&](std::string_view id) { return description_.column_of(rows, id); };
    const row_column position = column("position"), layer = column("layer"), match = column("match"),
                     confidence = column("confidence"), kept = column("final_probability");
    exits sums(thresholds_, run_.n_layers);
    std::optional<std::pair<std::uint64_t, std::int64_t>> at;  // record and position
    std::uint64_t n_prompts = 0;
    std::map<std::int64_t, text_sums> texts_by_layer;
    cluster_set text_clusters;
    current_cluster cluster(description_, {prompts});
    while (const dlens_row* row = all.next()) {
      cluster.see(*row);
      if (row->table == texts) add_text(*row, cluster.weights(), texts_by_layer);
      if (row->table == texts) text_clusters.add(cluster.weights().key(), {});
      if (row->table != rows) continue;
      const std::pair here(row->record, position.i64(*row));
      if (at != here) sums.begin_position(cluster.weights());
      if (!at || at->first != here.first) ++n_prompts;
      at = here;
      sums.add({layer.i64(*row), confidence.f64(*row), kept.f64(*row), match.i64(*row) != 0});
    }
    sums.end_position();
    append_layers(sums, sink);
    append_text_layers(texts_by_layer, text_clusters.size(), sink);
    if (lens == 0 && texts_.tokens() > 0) warn_of_no_room(texts_by_layer, n_prompts);
    append_sweep(sums, sink);
    for (const std::uint32_t f : {0U, 1U}) sink.figure_prompts(f, n_prompts);
  }

 private:
  bool can_write(const prompt_ids& prompt) const {
    return prompt.reason.empty() && prompt.ids.size() + texts_.tokens() <= run_.max_positions;
  }

  void append_texts(const record_view& record, const answers_view& answers, std::uint32_t lens,
                    const sink_view& sink) const {
    if (!can_write(reads_.encode(record.at("prompt")))) return;
    const tokenizer_view tokenizer(run_.tokenizer);
    const std::span<const std::int32_t> own = texts_.of_model(answers);
    bool is_read = false;  // the lens reads some layer, in the model itself
    for (std::uint32_t layer = 0; layer <= run_.n_layers; ++layer) {
      const bool last = layer == run_.n_layers;
      const std::span<const std::int32_t> text = last ? own : texts_.of_layer(answers, lens, layer);
      if (text.empty() || (last && !is_read)) continue;
      is_read = true;
      const text_agreement with = compare(text, own);
      std::string words;
      for (const std::int32_t id : text) words += tokenizer.bytes(id);
      const std::string shown = visible(words);
      const auto whole = [](std::size_t n) { return i64_value(static_cast<std::int64_t>(n)); };
      sink.append(texts,
                  std::array{whole(record.index()), i64_value(layer), whole(text.size()), whole(with.places),
                             whole(with.same), whole(with.beginning), text_value(shown)});
    }
  }

  void add_text(const dlens_row& row, const cluster_weights& cluster,
                std::map<std::int64_t, text_sums>& to) const {
    const auto number = [&](std::string_view id) { return description_.column_of(texts, id).i64(row); };
    text_sums& s = to[number("layer")];
    const auto places = static_cast<double>(number("places"));
    s.rows.add(cluster);
    s.same.add(cluster, static_cast<double>(number("same")) / places);
    s.beginning.add(cluster, static_cast<double>(number("beginning")) / places);
  }

  void warn_of_no_room(const std::map<std::int64_t, text_sums>& by_layer, std::uint64_t n_prompts) const {
    const std::uint64_t written = by_layer.empty() ? 0 : by_layer.rbegin()->second.rows.n();
    if (written < n_prompts)
      warn(run_, "early-exit: ", n_prompts - written, " of ", n_prompts, " prompts have no room for ",
           texts_.tokens(), " more tokens; they have no texts");
  }

  static void append_measure(const sink_view& sink, std::int64_t layer, std::string_view measure,
                             std::string_view label, std::optional<double> value, const clustered_rows& rows,
                             const std::optional<interval>& ends, std::uint64_t clusters) {
    std::vector<dlens_value> values = {i64_value(layer), text_value(measure), f64_value(value.value_or(0)),
                                       i64_value(static_cast<std::int64_t>(rows.n())), text_value(label)};
    append_interval(values, ends);
    values.push_back(i64_value(static_cast<std::int64_t>(clusters)));
    sink.append(layers, values);
  }

  static void append_text_layers(const std::map<std::int64_t, text_sums>& by_layer, std::uint64_t clusters,
                                 const sink_view& sink) {
    for (const auto& at : by_layer) {
      const text_sums& s = at.second;
      const auto line = [&](std::string_view measure, std::string_view label, const clustered_mean& mean) {
        append_measure(sink, at.first, measure, label, mean.mean(), s.rows, mean.ends(s.rows, clusters),
                       clusters);
      };
      line("text_same", "text it writes: same tokens", s.same);
      line("text_beginning", "text it writes: same beginning", s.beginning);
    }
  }

  static void append_layers(exits& sums, const sink_view& sink) {
    const std::uint64_t n = sums.clusters();
    for (const auto& [at, s] : sums.layers()) {
      append_measure(sink, at, "match_rate", "same guess as the whole model", s.matches.of(s.rows), s.rows,
                     s.matches.ends(s.rows, n), n);
      append_measure(sink, at, "final_probability", "probability of the final guess", s.kept.mean(), s.rows,
                     s.kept.ends(s.rows, n), n);
      append_measure(sink, at, "confidence", "probability of the layer's own guess", s.confidence.mean(),
                     s.rows, s.confidence.ends(s.rows, n), n);
    }
  }

  void append_sweep(exits& sums, const sink_view& sink) const {
    const clustered_rows& all = sums.positions();
    const std::uint64_t n = sums.clusters();
    if (all.n() == 0) return;
    for (std::size_t t = 0; t < sums.thresholds().size(); ++t) {
      const exit_sums& s = sums.at(t);
      const double layer = s.layer.mean().value_or(run_.n_layers);
      std::vector<dlens_value> values = {f64_value(sums.thresholds()[t]),
                                         i64_value(static_cast<std::int64_t>(all.n())),
                                         f64_value(layer),
                                         f64_value(*s.early.of(all)),
                                         f64_value(*s.matches.of(all)),
                                         f64_value(1 - layer / run_.n_layers)};
      append_interval(values, s.layer.ends(all, n));
      append_interval(values, s.matches.ends(all, n));
      values.push_back(i64_value(static_cast<std::int64_t>(n)));
      sink.append(sweep, values);
    }
  }

  const dlens_run& run_;
  next_token_reads reads_;
  own_texts texts_;
  std::vector<double> thresholds_;
  description description_;
};

}  // namespace
}  // namespace depthlens::early_exit

DEPTHLENS_EXPERIMENT(depthlens::early_exit::early_exit_study, "experiment.early-exit", DEPTHLENS_VERSION,
                     "What is lost and saved where a layer's guess is taken for the model's", "Apache-2.0");
