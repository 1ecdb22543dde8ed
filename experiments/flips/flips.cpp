// SPDX-License-Identifier: Apache-2.0
// Decision flips: how often the guess of a layer is not what the model says in the end, by how frequent the
// guessed token is. The smallest experiment, and the one to read first: what it declares (options, inputs,
// tables, figure), what it asks for (plan), the rows of one prompt (consume) and their summary (finish).

#include "depthlens/experiment.hpp"
#include "depthlens/study/buckets.hpp"
#include "depthlens/study/next_token_reads.hpp"
#include "depthlens/study/prompts_table.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

namespace depthlens {
namespace {

class flips final : public study {
 public:
  static std::span<const dlens_option> options() {
    static const std::array list = {token_counts_option(), positions_option(), whitespace_option()};
    return list;
  }
  static std::span<const dlens_input> inputs() {
    static constexpr const char* kinds[] = {"prompt", "cut", nullptr};
    static const std::array list = {make_input("", kinds)};
    return list;
  }

  flips(const dlens_run& run, const option_values& values)
      : run_(run),
        counts_(read_token_counts(run, values, "flips")),
        reads_(run, values),
        description_(tables(), figures(run)) {}

  const description& describe() override { return description_; }

  // What to run for a record: its prompt, read at the positions that count.
  void plan(const record_view& record, const answers_view& answers,
            const request_view& request) const override {
    reads_.plan(record, answers, request);
  }

  // A line about the prompt, and a row for each layer: did its guess flip?
  void consume(const record_view& record, const answers_view& answers, std::uint32_t lens,
               const sink_view& sink) const override {
    const next_token_result result = reads_.result(record, answers, lens);
    append_prompt(sink, prompts, {record.index(), result.prompt, result.ids, std::nullopt, result.reason},
                  "");
    for (const next_token_read& read : result.reads)
      append_guesses(sink, rows, run_, counts_, record.index(), read, [&](std::size_t i) {
        return i64_value(read.reading->guess[i] != read.reading->final_top ? 1 : 0);
      });
  }

  // A line about a paragraph that gives no prompt, so that none vanishes.
  void left_out(const record_view& record, const sink_view& sink) const override {
    append_left_out(sink, prompts, record, "");
  }

  // Adds up the rows of all prompts, as they come from disk.
  void finish(const rows_view& all, std::uint32_t, const sink_view& sink) const override {
    std::map<std::int64_t, std::array<tally, all_buckets.size()>> layers;
    std::uint64_t n_prompts = 0;
    std::optional<std::uint64_t> last_record;
    while (const dlens_row* row = all.next()) {
      if (row->table != rows) continue;
      if (last_record != row->record) ++n_prompts;
      last_record = row->record;
      const token_bucket bucket = bucket_named(to_view(row->values[guess_column::bucket].as.text));
      tally& t = layers[row->values[guess_column::layer].as.i64][static_cast<std::size_t>(bucket)];
      ++t.total;
      t.flipped += row->values[guess_column::own].as.i64;
    }
    for (const auto& [layer, tallies] : layers)
      for (const token_bucket bucket : all_buckets) {
        const tally& t = tallies[static_cast<std::size_t>(bucket)];
        const double rate = static_cast<double>(t.flipped) / static_cast<double>(t.total);
        sink.append(summary,
                    std::array{i64_value(layer), text_value(bucket_name(bucket)), i64_value(t.flipped),
                               i64_value(t.total), t.total == 0 ? null_value() : f64_value(rate),
                               text_value(bucket_label(bucket))});
      }
    sink.figure_prompts(0, n_prompts);
  }

 private:
  struct tally {
    std::int64_t flipped = 0, total = 0;
  };

  enum : std::uint32_t { rows, prompts, summary };  // the order of tables()

  static std::vector<table> tables() {
    return {{"rows", "flips_{lens}",
             guess_columns({"flipped", DLENS_I64, "1 = the guess is not the model's own top-1"})},
            prompts_table("prompts", "prompts_flips"),
            {"summary",
             "decision_flips_{lens}",
             {{"layer", DLENS_I64, "0 = embeddings, i = output of block i - 1"},
              {"bucket", DLENS_TEXT, "how frequent the layer's guess is"},
              {"flipped", DLENS_I64, "guesses of the bucket that are not the model's own top-1"},
              {"total", DLENS_I64, "guesses of the bucket"},
              {"rate", DLENS_F64, "flipped / total, empty where total is 0"},
              {"label", DLENS_TEXT, "the bucket in words"}},
             DLENS_TABLE_SUMMARY}};
  }

  static std::vector<figure> figures(const dlens_run& run) {
    figure bars{DLENS_FIGURE_GROUPED_BARS,
                "flips",
                "decision_flips_{lens}",
                "Decision flips",
                "summary",
                {{"layer", "rate", "Layer", "Decision flip rate", DLENS_FIGURE_PERCENT_Y}}};
    bars.series = "label";
    bars.flags = DLENS_FIGURE_TRAINED_LENS;  // as the paper draws it
    if (run.seed_compat != 0) bars.file = "decision_flip_{name}{False}";
    return {bars};
  }

  const dlens_run& run_;
  token_counts counts_;
  next_token_reads reads_;
  description description_;
};

}  // namespace
}  // namespace depthlens

DEPTHLENS_EXPERIMENT(depthlens::flips, "experiment.flips", DEPTHLENS_VERSION,
                     "How often the guesses of a layer differ from the final one, by token frequency");
