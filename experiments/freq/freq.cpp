// SPDX-License-Identifier: Apache-2.0
// Frequency buckets: how frequent, in a corpus, the guesses of each layer are. Shares its options and rows
// with the experiment flips (study/guess_study.hpp); counts all guesses, whatever the model says in the end.
#include "depthlens/experiment.hpp"
#include "depthlens/study/guess_study.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {
namespace {

class freq final : public guess_study {
 public:
  freq(const dlens_run& run, const option_values& values)
      : guess_study(run, values,
                    {.word = "freq",
                     .last = {"final_bucket", DLENS_TEXT, "how frequent the model's own top-1 is"},
                     .sums = sums(),
                     .bars = bars(run)}) {}

  void consume(const record_view& record, const answers_view& answers, std::uint32_t /*lens*/,
               const sink_view& sink) const override {
    append_prompt_and_rows(record, answers, sink, [&](const dlens_reading& reading, std::size_t) {
      return text_value(bucket_name(counts().bucket_of(reading.final_top)));
    });
  }

  void finish(const rows_view& all, std::uint32_t, const sink_view& sink) const override {
    std::map<std::int64_t, std::array<std::int64_t, all_buckets.size()>> layers;
    const auto count = [&](std::int64_t layer, token_bucket bucket, const dlens_row&) {
      ++layers[layer][static_cast<std::size_t>(bucket)];
    };
    sink.figure_prompts(0, each_guess(all, count));
    for (const auto& [layer, guesses] : layers) {
      std::int64_t total = 0;
      for (const std::int64_t n : guesses) total += n;
      for (const token_bucket bucket : all_buckets) {
        const std::int64_t n = guesses[static_cast<std::size_t>(bucket)];
        sink.append(summary, std::array{i64_value(layer), text_value(bucket_name(bucket)), i64_value(n),
                                        i64_value(total),
                                        f64_value(static_cast<double>(n) / static_cast<double>(total)),
                                        text_value(bucket_label(bucket)), f64_value(text_share(bucket))});
      }
    }
  }

 private:
  // What a guess by frequency alone would give.
  double text_share(token_bucket bucket) const {
    if (counts().total() == 0) return 0;
    return static_cast<double>(count_of(bucket)) / static_cast<double>(counts().total());
  }

  static table sums() {
    return {"summary",
            "frequency_buckets_{lens}",
            {{"layer", DLENS_I64, "0 = embeddings, i = output of block i - 1"},
             {"bucket", DLENS_TEXT, "how frequent the layer's guess is"},
             {"count", DLENS_I64, "guesses of the bucket"},
             {"prompts", DLENS_I64, "guesses of all buckets: one for each prompt (or position)"},
             {"share", DLENS_F64, "count / prompts"},
             {"label", DLENS_TEXT, "the bucket in words"},
             {"text_share", DLENS_F64, "of the bucket among the tokens of the frequency table"}},
            DLENS_TABLE_SUMMARY};
  }

  // As the published code calls the lenses.
  static std::vector<std::string> published_files(const dlens_run& run) {
    std::vector<std::string> out;
    for (const std::string_view lens : std::span(run.lens_labels, run.n_lenses)) {
      const std::string_view word = lens == "logit" ? "LogitLens" : lens == "tuned" ? "TunedLens" : "{lens}";
      out.push_back(cat("{name}_original_final_plotly_", word, "_long"));
    }
    return out;
  }

  static figure bars(const dlens_run& run) {
    return {.kind = DLENS_FIGURE_STACKED_BARS,
            .id = "freq",
            .file = "frequency_buckets_{lens}",
            .title = "Token frequency of the guesses",
            .table = "summary",
            .panels = {{.x = "layer",
                        .y = "share",
                        .x_label = "Layer",
                        .y_label = "Share of guesses",
                        .flags = DLENS_PANEL_PERCENT_Y}},
            .series = "label",
            .flags = DLENS_DRAW_TRAINED_LENS,  // as the paper draws it
            .baseline = "text_share",
            .lens_files = is_published(run) ? published_files(run) : std::vector<std::string>{}};
  }
};

}  // namespace
}  // namespace depthlens

DEPTHLENS_EXPERIMENT(depthlens::freq, "experiment.freq", DEPTHLENS_VERSION,
                     "How frequent the tokens are that a layer guesses", "Apache-2.0");
