// SPDX-License-Identifier: Apache-2.0
// An experiment in this process that uses all that the host offers: several rounds that depend on answers,
// several reads, gold targets, a table for each lens, a shared one and a summary. The option "fault" makes it
// break a rule.
#pragma once

#include "depthlens/experiment.hpp"
#include "depthlens/study/prompts_table.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace depthlens::test {

class fake_study final : public study {
 public:
  static std::span<const dlens_option> options() {
    static const std::array list = {make_option(
        {.id = "fault", .type = DLENS_OPTION_TEXT, .fallback = "", .help = "Which rule is broken."})};
    return list;
  }
  static std::span<const dlens_input> inputs() {
    static constexpr const char* kinds[] = {"prompt", nullptr};
    static const std::array list = {make_input("", kinds), make_input("*", kinds)};
    return list;
  }

  fake_study(const dlens_run& run, const option_values& values)
      : run_(run),
        tokenizer_(run.tokenizer),
        fault_(values.at("fault")),
        description_(tables(fault_), figures(fault_)) {}

  const description& describe() override { return description_; }
  void survey(const record_view& r) override {
    if (fault_ == "survey" && r.index() == 3) fail(status::data, "survey dislikes record 3");
  }

  // Round 0 reads the last and the first position; an even top-1 is appended and read in round 1; if that
  // gives a multiple of three, round 2 asks for two continuations.
  void plan(const record_view& r, const tops_view& a, const request_view& q) const override {
    if (fault_ == "plan" && r.index() == 3) fail(status::data, "plan dislikes record 3");
    std::vector<std::int32_t> ids = tokenizer_.encode_prompt(r.at("prompt"));
    if (ids.empty()) return;
    if (a.rounds() == 0) {
      if (fault_ == "id") ids[0] = static_cast<std::int32_t>(run_.vocab_size);
      const std::uint32_t s = q.add_sequence(ids);
      const std::int32_t gold = fault_ == "target" ? static_cast<std::int32_t>(run_.vocab_size) : gold_of(r);
      q.add_read(s, ids.size() - (fault_ == "position" ? 0 : 1), std::array{-1, gold});
      q.add_read(s, 0, std::array{-1});
      return;
    }
    for (std::uint32_t round = 0; round < a.rounds() && round < 2; ++round)
      ids.push_back(a.final_top(round, 0));
    if (fault_ == "endless") {
      q.add_read(q.add_sequence(ids), 0, std::array{-1});
      return;
    }
    if (a.rounds() == 1 && ids.back() % 2 == 0)
      q.add_read(q.add_sequence(ids), ids.size() - 1, std::array{-1});
    if (a.rounds() == 2 && ids.back() % 3 == 0)
      for (std::int32_t next : {1, 2}) {
        ids.back() = next;
        q.add_read(q.add_sequence(ids), ids.size() - 1, std::array{-1, next});
      }
  }

  void consume(const record_view& r, const answers_view& a, std::uint32_t /*lens*/,
               const sink_view& sink) const override {
    const std::vector<std::int32_t> ids = tokenizer_.encode_prompt(r.at("prompt"));
    append_prompt(
        sink, prompts,
        {.prompt_id = r.index(), .text = r.at("prompt"), .ids = ids, .reason = ids.empty() ? "empty" : ""},
        run_.datasets[r.dataset()]->set);
    if (fault_ == "table") sink.append(9, {});
    if (fault_ == "throws" && r.index() == 3) throw std::runtime_error("boom");
    if (fault_ == "columns") sink.append(rows, std::array{i64_value(1)});
    for (std::uint32_t round = 0; round < a.rounds(); ++round)
      append_reading(r, a.reading(round, 0), round, sink);
  }

  void finish(const rows_view& all, std::uint32_t lens, const sink_view& sink) const override {
    if (fault_ == "finish") sink.append(rows, std::vector<dlens_value>(9, null_value()));
    if (fault_ == "finish table") sink.append(9, {});
    if (fault_ == "finish columns") sink.append(summary, std::array{i64_value(1)});
    if (fault_ == "finish type")
      sink.append(summary, std::array{text_value("x"), f64_value(0), text_value("x")});
    const row_column layer = description_.column_of(rows, "layer"),
                     rank = description_.column_of(rows, "rank");
    std::map<std::int64_t, std::array<std::int64_t, 2>> layers;  // sum of ranks, number
    std::uint64_t n = 0;
    for (int i = 0; i < 3 && all.next() != nullptr; ++i) {
    }
    all.rewind();
    while (const dlens_row* row = all.next()) {
      n += row->table == prompts ? 1 : 0;
      if (row->table != rows) continue;
      auto& [sum, count] = layers[layer.i64(*row)];
      sum += rank.i64(*row);
      ++count;
    }
    for (const auto& [layer, mean] : layers)
      sink.append(summary, std::array{i64_value(layer),
                                      f64_value(static_cast<double>(mean[0]) / static_cast<double>(mean[1])),
                                      text_value(run_.lens_labels[lens])});
    sink.figure_prompts(0, n);
  }

 private:
  enum : std::uint32_t { rows, prompts, summary };

  static std::int32_t gold_of(const record_view& r) {
    return static_cast<std::int32_t>(r.at("answer").size());
  }

  void append_reading(const record_view& r, const dlens_reading& reading, std::uint32_t round,
                      const sink_view& sink) const {
    for (std::uint32_t l = 0; l < reading.n_layers; ++l)
      for (std::uint32_t k = 0; k < reading.n_targets; ++k)
        sink.append(rows, std::array{i64_value(static_cast<std::int64_t>(r.index())), i64_value(round),
                                     i64_value(reading.layers[l]), i64_value(reading.targets[k]),
                                     fault_ == "type" ? text_value("x") : i64_value(reading.rank[k][l]),
                                     f32_value(reading.logprob[k][l]), f32_value(reading.entropy[l]),
                                     f32_value(fault_ == "nan" ? std::numeric_limits<float>::quiet_NaN()
                                                               : reading.kl[l]),
                                     i64_value(reading.guess[l])});
  }

  // "file:NAME" = a table of that name.
  static std::string file_of(const std::string& fault) {
    return fault.starts_with("file:") ? fault.substr(5) : "fake_{name}_{lens}";
  }
  static std::vector<table> tables(const std::string& fault) {
    return {{"rows",
             file_of(fault),
             {{"prompt_id", DLENS_I64},
              {"round", DLENS_I64},
              {"layer", DLENS_I64},
              {"target", DLENS_I64},
              {"rank", DLENS_I64},
              {"logprob", DLENS_F32},
              {"entropy", DLENS_F32},
              {"kl", DLENS_F32},
              {"guess", DLENS_I64}}},
            prompts_table("prompts", "prompts_fake"),
            {"summary",
             "mean_rank_{lens}",
             {{"layer", DLENS_I64}, {"mean_rank", DLENS_F64}, {"lens", DLENS_TEXT}},
             DLENS_TABLE_SUMMARY}};
  }
  static std::vector<figure> figures(const std::string& fault) {
    return {{.kind = DLENS_FIGURE_LINES,
             .id = "ranks",
             .file = "ranks_{lens}",
             .title = "Mean rank",
             .table = fault == "figure" ? "nosuch" : "summary",
             .panels = {{.x = "layer", .y = "mean_rank", .x_label = "Layer", .y_label = "Mean rank"}}}};
  }

  const dlens_run& run_;
  tokenizer_view tokenizer_;
  std::string fault_;
  description description_;
};

}  // namespace depthlens::test
