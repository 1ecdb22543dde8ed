// SPDX-License-Identifier: Apache-2.0
// Frequency buckets: how frequent, in a corpus, the guesses of each layer are. Shares its options and rows
// with the experiment flips (study/buckets.hpp); counts all guesses, whatever the model says in the end.

#include "depthlens/experiment.hpp"
#include "depthlens/study/buckets.hpp"
#include "depthlens/study/next_token_reads.hpp"
#include "depthlens/study/prompts_table.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

namespace depthlens {
namespace {

class freq final : public study {
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

  freq(const dlens_run& run, const option_values& values)
      : run_(run),
        counts_(read_token_counts(run, values, "freq")),
        reads_(run, values),
        description_(tables(), figures(run)) {}

  const description& describe() override { return description_; }

  void plan(const record_view& record, const answers_view& answers,
            const request_view& request) const override {
    reads_.plan(record, answers, request);
  }

  void consume(const record_view& record, const answers_view& answers, std::uint32_t lens,
               const sink_view& sink) const override {
    const next_token_result result = reads_.result(record, answers, lens);
    append_prompt(sink, prompts, {record.index(), result.prompt, result.ids, std::nullopt, result.reason},
                  "");
    for (const next_token_read& read : result.reads)
      append_guesses(sink, rows, run_, counts_, record.index(), read, [&](std::size_t) {
        return text_value(bucket_name(counts_.bucket_of(read.reading->final_top)));
      });
  }

  void left_out(const record_view& record, const sink_view& sink) const override {
    append_left_out(sink, prompts, record, "");
  }

  void finish(const rows_view& all, std::uint32_t, const sink_view& sink) const override {
    std::map<std::int64_t, std::array<std::int64_t, all_buckets.size()>> layers;
    std::uint64_t n_prompts = 0;
    std::optional<std::uint64_t> last_record;
    while (const dlens_row* row = all.next()) {
      if (row->table != rows) continue;
      if (last_record != row->record) ++n_prompts;
      last_record = row->record;
      const token_bucket bucket = bucket_named(to_view(row->values[guess_column::bucket].as.text));
      ++layers[row->values[guess_column::layer].as.i64][static_cast<std::size_t>(bucket)];
    }
    for (const auto& [layer, counts] : layers) {
      std::int64_t total = 0;
      for (const std::int64_t count : counts) total += count;
      for (const token_bucket bucket : all_buckets) {
        const std::int64_t count = counts[static_cast<std::size_t>(bucket)];
        sink.append(summary, std::array{i64_value(layer), text_value(bucket_name(bucket)), i64_value(count),
                                        i64_value(total),
                                        f64_value(static_cast<double>(count) / static_cast<double>(total)),
                                        text_value(bucket_label(bucket)), f64_value(text_share(bucket))});
      }
    }
    sink.figure_prompts(0, n_prompts);
  }

 private:
  // What a guess by frequency alone would give.
  double text_share(token_bucket bucket) const {
    std::uint64_t count = 0;
    for (const token_count& entry : counts_.entries())
      if (counts_.bucket_of(entry.id) == bucket) count += entry.count;
    return counts_.total() == 0 ? 0 : static_cast<double>(count) / static_cast<double>(counts_.total());
  }

  enum : std::uint32_t { rows, prompts, summary };  // the order of tables()

  static std::vector<table> tables() {
    return {{"rows", "freq_{lens}",
             guess_columns({"final_bucket", DLENS_TEXT, "how frequent the model's own top-1 is"})},
            prompts_table("prompts", "prompts_freq"),
            {"summary",
             "frequency_buckets_{lens}",
             {{"layer", DLENS_I64, "0 = embeddings, i = output of block i - 1"},
              {"bucket", DLENS_TEXT, "how frequent the layer's guess is"},
              {"count", DLENS_I64, "guesses of the bucket"},
              {"prompts", DLENS_I64, "guesses of all buckets: one for each prompt (or position)"},
              {"share", DLENS_F64, "count / prompts"},
              {"label", DLENS_TEXT, "the bucket in words"},
              {"text_share", DLENS_F64, "of the bucket among the tokens of the frequency table"}},
             DLENS_TABLE_SUMMARY}};
  }

  static std::vector<figure> figures(const dlens_run& run) {
    figure bars{DLENS_FIGURE_STACKED_BARS,
                "freq",
                "frequency_buckets_{lens}",
                "Token frequency of the guesses",
                "summary",
                {{"layer", "share", "Layer", "Share of guesses", DLENS_FIGURE_PERCENT_Y}}};
    bars.series = "label";
    bars.baseline = "text_share";
    bars.flags = DLENS_FIGURE_TRAINED_LENS;  // as the paper draws it
    if (run.seed_compat != 0) bars.file = "{name}_original_final_plotly_{Lens}_long";
    return {bars};
  }

  const dlens_run& run_;
  token_counts counts_;
  next_token_reads reads_;
  description description_;
};

}  // namespace
}  // namespace depthlens

DEPTHLENS_EXPERIMENT(depthlens::freq, "experiment.freq", DEPTHLENS_VERSION,
                     "How frequent the tokens are that a layer guesses");
