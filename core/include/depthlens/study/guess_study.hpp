// SPDX-License-Identifier: Apache-2.0
// What the experiments on token frequency share. A layer's guess is its top-1; its bucket says how frequent
// that token is in a corpus. Here are their options and inputs, what is read, a row for each layer of each
// read, and the pass over all rows for the summary. Which last column the rows have, and what is summed up,
// is theirs.
#pragma once

#include "depthlens/base/text.hpp"
#include "depthlens/experiment.hpp"
#include "depthlens/study/buckets.hpp"
#include "depthlens/study/clusters.hpp"
#include "depthlens/study/layer_row.hpp"
#include "depthlens/study/next_token_reads.hpp"
#include "depthlens/study/prompts_table.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace depthlens {

class guess_study : public study {
 public:
  static constexpr bool reads_generated = true;
  static std::span<const dlens_option> options() {
    static const std::array list = {
        token_counts_option(), positions_option(), whitespace_option("keep"),
        make_option({.id = "baseline",
                     .type = DLENS_OPTION_BOOL,
                     .fallback = "false",
                     .help = "The figure has lines, and beside them what guesses by corpus frequency "
                             "would give."})};
    return list;
  }
  static std::span<const dlens_input> inputs() {
    static constexpr const char* kinds[] = {"prompt", "cut", nullptr};
    static const std::array list = {make_input("", kinds)};
    return list;
  }

  const description& describe() override { return description_; }

  // A prompt is read at its last position, or at all but position 0 and special tokens.
  void plan(const record_view& record, const tops_view& answers, const request_view& request) const override {
    reads_.plan(record, answers, request);
  }

  // A paragraph that gives no prompt has a line among the prompts, so that none vanishes.
  void left_out(const record_view& record, const sink_view& sink) const override {
    append_left_out(sink, prompts, record, "");
  }

 protected:
  enum : std::uint32_t { rows, prompts, summary };  // the numbers of the tables

  // What an experiment adds.
  struct own_parts {
    std::string word;  // of the experiment, in file names and warnings
    column last;       // of the rows
    table sums;        // the table `summary`
    figure drawn;
  };

  guess_study(const dlens_run& run, const option_values& values, own_parts own)
      : run_(run),
        counts_(read_token_counts(run, values, own.word)),
        reads_(run, values),
        description_({{"rows", own.word + "_{lens}", row_columns(std::move(own.last))},
                      prompts_table("prompts", "prompts_" + own.word),
                      std::move(own.sums)},
                     {with_baseline(std::move(own.drawn), run, values)}) {
    for (const token_count& entry : counts_.entries()) {
      counts_of_ids_.emplace(entry.id, entry.count);
      counts_of_buckets_[static_cast<std::size_t>(counts_.bucket_of(entry.id))] += entry.count;
    }
  }

  // " (FILE)", of the table of token counts; for titles.
  static std::string in_corpus(const option_values& values) {
    const std::optional<std::string> file = values.find("token-counts");
    return file ? " (" + std::filesystem::path(*file).filename().string() + ")" : "";
  }
  const dlens_run& run() const { return run_; }
  const token_counts& counts() const { return counts_; }
  // How often the corpus has a token, and the tokens of a bucket together.
  std::uint64_t count_of(std::int32_t id) const {
    const auto found = counts_of_ids_.find(id);
    return found == counts_of_ids_.end() ? 0 : found->second;
  }
  std::uint64_t count_of(token_bucket bucket) const {
    return counts_of_buckets_[static_cast<std::size_t>(bucket)];
  }
  row_column column_of_rows(std::string_view id) const { return description_.column_of(rows, id); }

  // A line about the prompt, which counts it too, and, where it is kept, a row for each layer of each read.
  // last(reading, i) is the value of the last column for the reading's layer i.
  template <class Last>
  void append_prompt_and_rows(const record_view& record, const answers_view& answers, const sink_view& sink,
                              const Last& last) const {
    const next_token_result result = reads_.result(record, answers);
    append_prompt(sink, prompts,
                  {.prompt_id = record.index(),
                   .text = result.prompt,
                   .ids = result.ids,
                   .reason = result.reason,
                   .cluster = cluster_of(record)},
                  "");
    const tokenizer_view tokenizer(run_.tokenizer);
    for (const auto& [position, at] : result.reads) {
      const dlens_reading& reading = *at;
      for (std::size_t i = 0; i < reading.n_layers; ++i) {
        const std::int32_t layer = reading.layers[i], guess = reading.guess[i];
        const std::string point = point_name(layer), text = visible(tokenizer.bytes(guess));
        sink.append(rows, std::array{i64_value(static_cast<std::int64_t>(record.index())),
                                     i64_value(static_cast<std::int64_t>(position)), i64_value(layer),
                                     text_value(point), f64_value(static_cast<double>(layer) / run_.n_layers),
                                     i64_value(guess), text_value(text),
                                     text_value(bucket_name(counts_.bucket_of(guess))),
                                     i64_value(reading.final_top), last(reading, i)});
      }
    }
  }

  // The guesses of a bucket at a layer 0..n_layers, among all such.
  static std::size_t cells(std::uint32_t n_layers) { return (n_layers + 1) * all_buckets.size(); }
  static std::size_t cell(std::int64_t layer, token_bucket bucket) {
    return static_cast<std::size_t>(layer) * all_buckets.size() + static_cast<std::size_t>(bucket);
  }

  // Calls count(layer, bucket, cluster, row) for every row. Returns the number of prompts that have some.
  template <class Count>
  std::uint64_t each_guess(const rows_view& all, const Count& count) const {
    const row_column layer = column_of_rows("layer"), bucket = column_of_rows("bucket");
    std::uint64_t n_prompts = 0;
    std::optional<std::uint64_t> last_record;
    current_cluster cluster(description_, {prompts});
    while (const dlens_row* row = all.next()) {
      cluster.see(*row);
      if (row->table != rows) continue;
      if (last_record != row->record) ++n_prompts;
      last_record = row->record;
      count(layer.i64(*row), bucket_named(bucket.text(*row)), cluster.weights(), *row);
    }
    return n_prompts;
  }

 private:
  // Bars have no room for a second value; lines do, and the host draws the baseline with them.
  static figure with_baseline(figure drawn, const dlens_run& run, const option_values& values) {
    if (values.at("baseline") != "true") {
      drawn.flags |= DLENS_DRAW_CONTROLLED_BASELINE;
      return drawn;
    }
    if (is_published(run))
      fail(status::usage, "--baseline cannot go with --seed-compat, which draws bars as published");
    drawn.kind = DLENS_FIGURE_LINES;
    for (panel& p : drawn.panels) p.flags |= DLENS_PANEL_LAYER_X, p.low = "low", p.high = "high";
    return drawn;
  }

  static std::vector<column> row_columns(column last) {
    return {{"prompt_id", DLENS_I64, "row number in the input, from 0"},
            {"position", DLENS_I64, "place of the token read, from 0; special ids included"},
            {"layer", DLENS_I64, "0 = embeddings, i = output of block i - 1"},
            {"point", DLENS_TEXT, "name of the layer"},
            {"depth", DLENS_F64, "layer / number of blocks"},
            {"guess", DLENS_I64, "top-1 of this layer"},
            {"guess_text", DLENS_TEXT, "its text"},
            {"bucket", DLENS_TEXT, "how frequent the guess is: top10, top100, top1000 or rest"},
            {"final", DLENS_I64, "the model's own top-1"},
            std::move(last)};
  }

  const dlens_run& run_;
  token_counts counts_;
  std::unordered_map<std::int32_t, std::uint64_t> counts_of_ids_;
  std::array<std::uint64_t, all_buckets.size()> counts_of_buckets_{};
  next_token_reads reads_;
  description description_;
};

}  // namespace depthlens
