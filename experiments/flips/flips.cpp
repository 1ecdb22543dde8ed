// SPDX-License-Identifier: Apache-2.0
// Decision flips: how often the guess of a layer is not what the model says in the end, by how frequent the
// guessed token is. Of the shipped experiments the one to read first: what it adds to guess_study (a column,
// a table, a figure), the rows of one prompt (consume) and their summary (finish). Options, inputs and what
// is asked of the model (plan) come from study/guess_study.hpp and what it includes; an experiment that
// has all in one file is in share/skeleton/experiment.
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

class flips final : public guess_study {
 public:
  flips(const dlens_run& run, const option_values& values)
      : guess_study(run, values,
                    {.word = "flips",
                     .last = {"flipped", DLENS_I64, "1 = the guess is not the model's own top-1"},
                     .sums = sums(),
                     .drawn = drawn(run, values)}) {}

  // A row for each layer: did its guess flip?
  void consume(const record_view& record, const answers_view& answers, std::uint32_t /*lens*/,
               const sink_view& sink) const override {
    append_prompt_and_rows(record, answers, sink, [](const dlens_reading& reading, std::size_t i) {
      return i64_value(reading.guess[i] != reading.final_top ? 1 : 0);
    });
  }

  // Adds up the rows of all prompts, as they come from disk.
  void finish(const rows_view& all, std::uint32_t, const sink_view& sink) const override {
    const row_column flipped = column_of_rows("flipped"), final = column_of_rows("final");
    std::map<std::int64_t, std::array<tally, all_buckets.size()>> layers;
    cluster_cells clusters(cells(run().n_layers));
    const auto count = [&](std::int64_t layer, token_bucket bucket, const cluster_weights& cluster,
                           const dlens_row& row) {
      tally& t = layers[layer][static_cast<std::size_t>(bucket)];
      t.total.add(cluster);
      t.flipped.add(cluster, flipped.i64(row) != 0);
      clusters.add(cluster.key(), cell(layer, bucket));
      const auto last = static_cast<std::int32_t>(final.i64(row));
      if (counts().bucket_of(last) == bucket) t.drawn += count_of(last);
    };
    const std::uint64_t n_prompts = each_guess(all, count);
    sink.figure_prompts(0, n_prompts);
    const std::vector<std::uint64_t> in_cells = clusters.counts();
    for (const auto& [layer, tallies] : layers)
      for (const token_bucket bucket : all_buckets) {
        const tally& t = tallies[static_cast<std::size_t>(bucket)];
        const std::uint64_t n = in_cells[cell(layer, bucket)];
        const std::optional<double> rate = t.flipped.of(t.total);
        std::vector<dlens_value> values = {i64_value(layer),
                                           text_value(bucket_name(bucket)),
                                           i64_value(static_cast<std::int64_t>(t.flipped.part())),
                                           i64_value(static_cast<std::int64_t>(t.total.n())),
                                           rate ? f64_value(*rate) : null_value(),
                                           text_value(bucket_label(bucket)),
                                           matched_rate(bucket, t)};
        append_interval(values, t.flipped.ends(t.total, n));
        values.push_back(i64_value(static_cast<std::int64_t>(n)));
        sink.append(summary, values);
      }
  }

 private:
  struct tally {
    clustered_rows total;
    clustered_share flipped;
    std::uint64_t drawn = 0;  // sum over the guesses: count of the final token, where it is of the bucket
  };

  // Were each guess a token of its bucket, drawn by its count, how often would it differ from the final one?
  // A sum of counts, which are whole, comes out the same in whatever order the prompts are.
  dlens_value matched_rate(token_bucket bucket, const tally& t) const {
    const std::uint64_t of_bucket = count_of(bucket);
    if (t.total.n() == 0 || of_bucket == 0) return null_value();  // nothing to draw from
    const double equal = static_cast<double>(t.drawn) / static_cast<double>(of_bucket);
    return f64_value(1 - equal / static_cast<double>(t.total.n()));
  }

  static table sums() {
    return {"summary",
            "decision_flips_{lens}",
            {{"layer", DLENS_I64, "0 = embeddings, i = output of block i - 1"},
             {"bucket", DLENS_TEXT, "how frequent the layer's guess is"},
             {"flipped", DLENS_I64, "guesses of the bucket that are not the model's own top-1"},
             {"total", DLENS_I64, "guesses of the bucket"},
             {"rate", DLENS_F64, "flipped / total, empty where total is 0"},
             {"label", DLENS_TEXT, "the bucket in words"},
             {"matched_rate", DLENS_F64,
              "the rate of tokens drawn from the bucket by corpus frequency in place of the guesses"},
             interval_columns("")[0],
             interval_columns("")[1],
             clusters_column()},
            DLENS_TABLE_SUMMARY};
  }

  // In the published code's file names "False" stands for the logit lens.
  static std::vector<std::string> published_files(const dlens_run& run) {
    std::vector<std::string> out;
    for (const std::string_view lens : std::span(run.lens_labels, run.n_lenses))
      out.push_back(cat("decision_flip_{name}", lens == "logit"   ? "False"
                                                : lens == "tuned" ? ""
                                                                  : "_{lens}"));
    return out;
  }

  static figure drawn(const dlens_run& run, const option_values& values) {
    const bool published = is_published(run);
    return {.kind = published ? DLENS_FIGURE_GROUPED_BARS : DLENS_FIGURE_LINES,
            .id = "flips",
            .file = "decision_flips_{lens}",
            .title = "Decision flips, by token frequency" + in_corpus(values),
            .table = "summary",
            .panels = {{.x = "layer",
                        .y = "rate",
                        .x_label = "Layer",
                        .y_label = "Decision flip rate",
                        .flags = published ? std::uint32_t{DLENS_PANEL_PERCENT_Y}
                                           : DLENS_PANEL_PERCENT_Y | DLENS_PANEL_LAYER_X,
                        .low = published ? "" : "low",
                        .high = published ? "" : "high"}},
            .series = "label",
            .flags = DLENS_DRAW_TRAINED_LENS,  // as in the paper, which shows it of the tuned lens
            .baseline = "matched_rate",
            .lens_files = published ? published_files(run) : std::vector<std::string>{}};
  }
};

}  // namespace
}  // namespace depthlens

DEPTHLENS_EXPERIMENT(depthlens::flips, "experiment.flips", DEPTHLENS_VERSION,
                     "How often the guesses of a layer differ from the final one, by token frequency",
                     "Apache-2.0");
