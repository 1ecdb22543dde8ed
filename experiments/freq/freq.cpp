// SPDX-License-Identifier: Apache-2.0
// Frequency buckets: how frequent, in a corpus, the guesses of each layer are. Shares its options and rows
// with the experiment flips (study/guess_study.hpp); counts all guesses, whatever the model says in the end.
#include "depthlens/experiment.hpp"
#include "depthlens/study/clustered.hpp"
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
                     .drawn = bars(run, values)}) {}

  void consume(const record_view& record, const answers_view& answers, std::uint32_t /*lens*/,
               const sink_view& sink) const override {
    append_prompt_and_rows(record, answers, sink, [&](const dlens_reading& reading, std::size_t) {
      return text_value(bucket_name(counts().bucket_of(reading.final_top)));
    });
  }

  void finish(const rows_view& all, std::uint32_t, const sink_view& sink) const override {
    std::map<std::int64_t, tally> layers;
    cluster_set clusters;
    const auto count = [&](std::int64_t layer, token_bucket bucket, const cluster_weights& cluster,
                           const dlens_row&) {
      tally& t = layers[layer];
      t.guesses.add(cluster);
      for (std::size_t b = 0; b < all_buckets.size(); ++b) {
        t.of[b].add(cluster, all_buckets[b] == bucket);
        t.up_to[b].add(cluster, all_buckets[b] >= bucket);
      }
      clusters.add(cluster.key(), {});
    };
    sink.figure_prompts(0, each_guess(all, count));
    for (const auto& [layer, t] : layers)
      for (const token_bucket bucket : all_buckets) {
        const auto b = static_cast<std::size_t>(bucket);
        std::vector<dlens_value> values = {i64_value(layer),
                                           text_value(bucket_name(bucket)),
                                           i64_value(static_cast<std::int64_t>(t.of[b].part())),
                                           i64_value(static_cast<std::int64_t>(t.guesses.n())),
                                           f64_value(*t.of[b].of(t.guesses)),
                                           text_value(bucket_label(bucket)),
                                           f64_value(text_share(bucket))};
        append_interval(values, t.of[b].ends(t.guesses, clusters.size()));
        append_interval(values, t.up_to[b].ends(t.guesses, clusters.size()));
        values.push_back(i64_value(static_cast<std::int64_t>(clusters.size())));
        sink.append(summary, values);
      }
  }

 private:
  // The guesses of a layer: of each bucket, and of it and those before it.
  struct tally {
    clustered_rows guesses;
    std::array<clustered_share, all_buckets.size()> of, up_to;
  };

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
             {"text_share", DLENS_F64, "of the bucket among the tokens of the frequency table"},
             interval_columns("")[0],
             interval_columns("")[1],
             {"top_low", DLENS_F64,
              "lower end of the 95 % interval of the share of this bucket and those "
              "before it"},
             {"top_high", DLENS_F64, "upper end"},
             clusters_column()},
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

  static figure bars(const dlens_run& run, const option_values& values) {
    const bool published = is_published(run);
    return {.kind = DLENS_FIGURE_STACKED_BARS,
            .id = "freq",
            .file = "frequency_buckets_{lens}",
            .title = "Token frequency of the guesses" + in_corpus(values),
            .table = "summary",
            .panels = {{.x = "layer",
                        .y = "share",
                        .x_label = "Layer",
                        .y_label = "Share of guesses",
                        .flags = DLENS_PANEL_PERCENT_Y,
                        .low = published ? "" : "top_low",
                        .high = published ? "" : "top_high"}},
            .series = "label",
            .flags = DLENS_DRAW_TRAINED_LENS |  // as the paper draws it
                     (published ? 0U : std::uint32_t{DLENS_DRAW_ORDERED}),
            .baseline = "text_share",
            .lens_files = published ? published_files(run) : std::vector<std::string>{}};
  }
};

}  // namespace
}  // namespace depthlens

DEPTHLENS_EXPERIMENT(depthlens::freq, "experiment.freq", DEPTHLENS_VERSION,
                     "How frequent the tokens are that a layer guesses", "Apache-2.0");
