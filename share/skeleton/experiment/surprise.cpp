// SPDX-License-Identifier: Apache-2.0
// How surprising the last token of a prompt is after each layer: one row per prompt and layer.
#include "depthlens/experiment.hpp"

#include <array>

class surprise final : public depthlens::study {
 public:
  static std::span<const dlens_option> options() {
    static const std::array list = {
        depthlens::make_option("scale", DLENS_OPTION_F64, "1", "Factor of the surprise.", nullptr, 0, 100)};
    return list;
  }
  static std::span<const dlens_input> inputs() {
    static constexpr const char* kinds[] = {"prompt", nullptr};
    static const std::array list = {depthlens::make_input("", kinds)};
    return list;
  }

  surprise(const dlens_run& run, const depthlens::option_values& options)
      : tokenizer_(run.tokenizer), scale_(std::stod(options.at("scale"))) {}

  const depthlens::description& describe() override { return description_; }

  void plan(const depthlens::record_view& record, const depthlens::answers_view& answers,
            const depthlens::request_view& request) const override {
    const auto ids = tokenizer_.encode_prompt(record.at("prompt"));
    if (answers.rounds() > 0 || ids.size() < 2) return;
    request.add_read(request.add_sequence(ids), ids.size() - 2, std::array{ids.back()});
  }

  void consume(const depthlens::record_view& record, const depthlens::answers_view& answers,
               std::uint32_t lens, const depthlens::sink_view& sink) const override {
    sink.count("", answers.rounds() == 0 ? "too short" : "");
    if (answers.rounds() == 0) return;
    const dlens_reading& r = answers.reading(0, 0, lens);
    for (std::uint32_t l = 0; l < r.n_layers; ++l)
      sink.append(0, std::array{depthlens::i64_value(static_cast<std::int64_t>(record.index())),
                                depthlens::i64_value(r.layers[l]),
                                depthlens::f64_value(-scale_ * static_cast<double>(r.logprob[0][l]))});
  }

 private:
  depthlens::tokenizer_view tokenizer_;
  double scale_;
  depthlens::description description_{
      {{"rows",
        "surprise_{lens}",
        {{"prompt_id", DLENS_I64}, {"layer", DLENS_I64}, {"surprise", DLENS_F64}}}},
      {{DLENS_FIGURE_LINES,
        "surprise",
        "surprise_{lens}",
        "Surprise of the last token",
        "rows",
        {{"layer", "surprise", "Layer", "Surprise (nats)", DLENS_FIGURE_LAYER_X}},
        "prompt_id"}}};
};

DEPTHLENS_EXPERIMENT(surprise, "experiment.surprise", "0.0.1", "How surprising the last token is");
