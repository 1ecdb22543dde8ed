// SPDX-License-Identifier: Apache-2.0
// How surprising is the last token of a prompt, after each layer? One row for each prompt and layer, one
// figure. The smallest experiment there is, made to be copied: its five parts are marked 1 to 5. README.md
// builds and runs it.
#include "depthlens/experiment.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

using namespace depthlens;

class surprise_study final : public study {
  enum : std::uint32_t { rows };  // the tables of part 5 by number; here there is one

 public:
  // 1. What a user gives. The host parses the options, checks their bounds, shows them under `--help`, and
  //    hands their values to the constructor. Inputs are the records that `--data surprise=FILE` may hold:
  //    "prompt" is a row of a JSON, JSONL, CSV or TSV file; abi/experiment.h lists the other kinds
  //    (dlens_input) and the fields that their records have.
  static std::span<const dlens_option> options() {
    static const std::array list = {make_option({.id = "scale",
                                                 .type = DLENS_OPTION_F64,
                                                 .fallback = "1",
                                                 .help = "Factor of the surprise.",
                                                 .min = 0,
                                                 .max = 100})};
    return list;
  }
  static std::span<const dlens_input> inputs() {
    static constexpr const char* kinds[] = {"prompt", nullptr};
    static const std::array list = {make_input("", kinds)};
    return list;
  }

  // 2. The object lives as long as the run, whose model and tokenizer `run` describes. plan and consume are
  //    called from several threads, and again when a run is continued: they may use what is set here, and
  //    change nothing.
  surprise_study(const dlens_run& run, const option_values& options)
      : tokenizer_(run.tokenizer), scale_(std::stod(options.at("scale"))) {}

  // 3. What to ask of the model for a record: token sequences, and positions of them which every lens reads
  //    at every layer that it has. A read names the tokens (targets) whose rank and log-probability are
  //    wanted; -1 is the model's own final top-1. plan is called again with the answers, until it asks for
  //    nothing more.
  void plan(const record_view& record, const tops_view& answers, const request_view& request) const override {
    const std::vector<std::int32_t> ids = tokenizer_.encode_prompt(record.at("prompt"));  // --bos included
    if (answers.rounds() > 0 || ids.size() < 2) return;
    // The token before the last says what comes next: how likely is it that this is the last?
    request.add_read(request.add_sequence(ids), ids.size() - 2, std::array{ids.back()});
  }

  // 4. Rows from the answers, once for each lens. Every record is counted, with the reason where it gives no
  //    row, so that none vanishes; run.json has the counts. The C interface gives consume also the records
  //    that the input does not give whole (left_out of dlens_record); the class study hands those to its
  //    left_out instead, which counts them.
  void consume(const record_view& record, const answers_view& answers, std::uint32_t lens,
               const sink_view& sink) const override {
    if (answers.rounds() == 0) return sink.count("", "too short");  // under "" in run.json
    sink.count("", "");
    const dlens_reading& reading = answers.reading(0, 0);  // of round 0, its read 0
    const float* logprob = reading.logprob[0];             // of its target 0: (L), nats
    for (std::uint32_t i = 0; i < reading.n_layers; ++i)
      sink.append(
          rows, std::array{i64_value(static_cast<std::int64_t>(record.index())), i64_value(reading.layers[i]),
                           f64_value(-scale_ * static_cast<double>(logprob[i]))});
  }

  //    At the end finish gets all rows of a lens, for tables that sum up; here it says how many prompts the
  //    figure is about.
  void finish(const rows_view& all, std::uint32_t /*lens*/, const sink_view& sink) const override {
    sink.figure_prompts(0, all.most_records());
  }

  // 5. The tables, one CSV file each, and the figures, which the host draws from those files alone. {lens}
  //    stands for the label of the lens, {name} would for the model's.
  const description& describe() override { return description_; }

 private:
  tokenizer_view tokenizer_;
  double scale_;
  description description_{
      {{.id = "rows",
        .file = "surprise_{lens}",
        .columns = {{"prompt_id", DLENS_I64, "row number in the input, from 0"},
                    {"layer", DLENS_I64, "0 = embeddings, i = output of block i - 1"},
                    {"surprise", DLENS_F64, "-log of the last token's probability, nats, times scale"}}}},
      {{.kind = DLENS_FIGURE_LINES,
        .id = "surprise",
        .file = "surprise_{lens}",
        .title = "Surprise of the last token",
        .table = "rows",
        .panels = {{.x = "layer",
                    .y = "surprise",
                    .x_label = "Layer",
                    .y_label = "Surprise (nats)",
                    .flags = DLENS_PANEL_LAYER_X}},
        .series = "prompt_id"}}};
};

// The one symbol of the plugin. The id says the word for the command line, `depthlens run surprise`; the last
// argument is your license, as SPDX writes it.
DEPTHLENS_EXPERIMENT(surprise_study, "experiment.surprise", "0.0.1", "How surprising the last token is",
                     "Apache-2.0");
