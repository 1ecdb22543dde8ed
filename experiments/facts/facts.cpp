// SPDX-License-Identifier: Apache-2.0
// At which depth does the first, second and third token of a fact's answer become readable? The answer is
// given token by token (teacher forcing by ids), all positions in one pass. The published procedure is
// facts_published.hpp.
#include "attempts.hpp"
#include "facts_published.hpp"
#include "repeated_facts.hpp"
#include "tables.hpp"

#include "depthlens/experiment.hpp"
#include "depthlens/study/clusters.hpp"
#include "depthlens/study/depth_figures.hpp"
#include "depthlens/study/depth_summary.hpp"
#include "depthlens/study/failures.hpp"
#include "depthlens/study/layer_row.hpp"
#include "depthlens/study/prompts_table.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::facts {
namespace {

// An answer in the form that counts, as the model reads it.
struct told_answer {
  const answer_form* form;
  std::vector<const dlens_reading*> readings;  // of its tokens that are read
  std::vector<bool> correct;                   // is the token the model's own top-1 there?

  bool all_correct() const { return std::find(correct.begin(), correct.end(), false) == correct.end(); }
};

dlens_value flag(bool b) { return i64_value(b ? 1 : 0); }

class facts_study final : public study {
 public:
  facts_study(const dlens_run& run, const option_values& options)
      : run_(run),
        tokenizer_(run.tokenizer),
        attempts_(run, white_space_rule_of(options.at("whitespace"), run), std::stoul(options.at("tokens"))),
        once_(options.at("duplicates") == "once" && !is_published(run)),
        failures_(wants_failures(options, run)),
        description_(all_tables(is_published(run) ? published_rows() : rows_of_facts(), is_published(run),
                                failures_, generated_tokens(run) > 0),
                     figures(run, failures_)) {
    if (is_published(run)) published_.emplace(run);
  }

  static constexpr bool reads_generated = true;
  static std::span<const dlens_option> options();
  static std::span<const dlens_input> inputs();

  const description& describe() override {
    repeated_.complete();
    return description_;
  }
  void survey(const record_view&) override;
  void plan(const record_view&, const tops_view&, const request_view&) const override;
  void consume(const record_view&, const answers_view&, std::uint32_t lens, const sink_view&) const override;
  void left_out(const record_view&, const sink_view&) const override;
  void finish(const rows_view&, std::uint32_t lens, const sink_view&) const override;

 private:
  static std::vector<figure> figures(const dlens_run&, bool failures);
  attempt attempt_of(const record_view& record, const tops_view& answers) const {
    return attempts_.after(record, answers, repeated_.contains(record));
  }
  told_answer told(const attempt&, const fact_answer&, const answers_view&) const;
  std::vector<dlens_value> own_values(const record_view&, const told_answer*,
                                      const std::optional<std::string>& said) const;
  void append_rows(const attempt&, const fact_answer&, const told_answer&, const record_view&,
                   const sink_view&) const;

  const dlens_run& run_;
  tokenizer_view tokenizer_;
  attempts attempts_;
  std::optional<published_facts> published_;  // instead of attempts_
  bool once_, failures_;
  repeated_facts repeated_;  // none where they are read each time
  description description_;
};

std::span<const dlens_option> facts_study::options() {
  static constexpr const char* duplicates[] = {"once", "keep", nullptr};
  static const std::array all = {
      make_option({.id = "tokens",
                   .type = DLENS_OPTION_I64,
                   .fallback = "3",
                   .help = "How many tokens of an answer are read.",
                   .least = 1,
                   .most = 64}),
      make_option({.id = "duplicates",
                   .type = DLENS_OPTION_CHOICE,
                   .fallback = "once",
                   .help = "Repeated pairs of prompt and answer are read once, or each time.",
                   .choices = duplicates}),
      whitespace_option("drop"), failures_option()};
  return all;
}

std::span<const dlens_input> facts_study::inputs() {
  static constexpr const char* kinds[] = {"fact", "prompt", nullptr};
  static const std::array all = {make_input("", kinds)};
  return all;
}

std::vector<figure> facts_study::figures(const dlens_run& run, bool failures) {
  const bool published = is_published(run);  // whose rows have no probability and entropy
  return depth_figures("facts",
                       {.what = "facts",
                        .earliest_file = published ? published_figure : "earliest_layer_facts_{lens}",
                        .color = "answer_len",
                        .dash = failures ? "curve" : "token_pos",
                        .published = published,
                        .probability = !published,
                        .entropy = !published});
}

void facts_study::survey(const record_view& record) {
  const auto answer = record.find("answer");
  if (once_ && answer) repeated_.survey(record, record.at("prompt"), *answer);
}

void facts_study::plan(const record_view& record, const tops_view& answers,
                       const request_view& request) const {
  if (published_) return published_->plan(record, answers, request);
  const attempt a = attempt_of(record, answers);
  if (a.reason.empty() && a.state.stage == prompt_state::ask) attempts_.request(a, request);
}

told_answer facts_study::told(const attempt& a, const fact_answer& what, const answers_view& answers) const {
  told_answer out{choose_form(what.forms, answers.final_top(a.state.round, 0)), {}, {}};
  const std::vector<std::int32_t>& ids = out.form->ids;
  for (std::size_t j = 0; j < std::min(ids.size(), attempts_.tokens()); ++j) {
    out.readings.push_back(&answers.reading(a.state.round, a.reads->number(ids, j)));
    out.correct.push_back(out.readings.back()->final_top == ids[j]);
  }
  return out;
}

// Of the table of prompts; no answer where the fact is not kept, `said` where the model says texts.
std::vector<dlens_value> facts_study::own_values(const record_view& record, const told_answer* answer,
                                                 const std::optional<std::string>& said) const {
  std::vector<dlens_value> out = {answer_value(record)};
  if (failures_) {
    out.push_back(answer == nullptr ? null_value() : flag(answer->correct[0]));
    out.push_back(answer == nullptr ? null_value() : flag(answer->all_correct()));
  }
  if (generated_tokens(run_) > 0) out.push_back(said ? text_value(*said) : null_value());
  return out;
}

void facts_study::consume(const record_view& record, const answers_view& answers, std::uint32_t /*lens*/,
                          const sink_view& sink) const {
  if (published_) return published_->consume(record, answers, sink);
  const attempt a = attempt_of(record, answers);
  std::string_view why = a.reason;
  if (why.empty() && a.state.stage == prompt_state::dropped) why = reason::white_space;
  std::optional<std::int32_t> gold;
  if (!a.answers.empty()) {
    const bool read = a.state.stage == prompt_state::settled;
    const std::int32_t top = read ? answers.final_top(a.state.round, 0) : -1;
    gold = choose_form(a.answers.front().forms, top)->ids.front();
  }
  std::vector<told_answer> all;
  for (std::size_t i = 0; why.empty() && i < a.answers.size(); ++i)
    all.push_back(told(a, a.answers[i], answers));
  const std::optional<std::string> said = attempts_.said(answers);
  append_prompt(sink, prompts_table_number,
                {.prompt_id = record.index(),
                 .text = a.state.prompt,
                 .ids = a.ids,
                 .gold = gold,
                 .reason = why,
                 .cluster = cluster_of(record)},
                "", own_values(record, all.empty() ? nullptr : &all.front(), said));
  for (std::size_t i = 0; i < all.size(); ++i) append_rows(a, a.answers[i], all[i], record, sink);
}

void facts_study::left_out(const record_view& record, const sink_view& sink) const {
  append_left_out(sink, prompts_table_number, record, "", own_values(record, nullptr, std::nullopt));
}

void facts_study::append_rows(const attempt& a, const fact_answer& what, const told_answer& answer,
                              const record_view& record, const sink_view& sink) const {
  const answer_form& chosen = *answer.form;
  bool before = true;
  for (std::size_t j = 0; j < answer.readings.size(); ++j) {
    const std::vector<dlens_value> own = {i64_value(static_cast<std::int64_t>(j)),
                                          i64_value(static_cast<std::int64_t>(chosen.ids.size())),
                                          text_value(chosen.form),
                                          flag(answer.correct[0]),
                                          flag(before),
                                          flag(answer.all_correct()),
                                          text_value(what.kind),
                                          text_value(what.text)};
    layer_row row(run_, tokenizer_, record.index(), a.ids.size() - 1 + j, *answer.readings[j], chosen.ids[j]);
    row.append(sink, rows_table, [&](std::size_t) { return own; });
    before = before && answer.correct[j];
  }
}

void facts_study::finish(const rows_view& rows, std::uint32_t lens, const sink_view& sink) const {
  depth_summary summary(categories_of_facts(failures_), published_ ? facts_k_grid() : default_k_grid(),
                        run_.n_layers);
  const fact_row_reader read =
      published_ ? published_reader(description_) : reader_of_facts(description_, failures_);
  current_cluster cluster(description_, {prompts_table_number});
  while (const dlens_row* row = rows.next()) {
    cluster.see(*row);
    const std::optional<fact_row> fact = row->table == rows_table ? read(*row) : std::nullopt;
    if (!fact) continue;
    const auto [length, token, wrong, at] = *fact;
    if (length < 1 || length > longest_in_figures || token >= length) continue;
    summary.add(category_of(length, token, wrong),
                {row->dataset, row->record, row->table, static_cast<std::uint64_t>(token)}, cluster.weights(),
                at);
  }
  summary.write(sink, depth_table_numbers_of(description_, published_.has_value()));
  // Each fact has its first token in the figures; as published, some have only later ones.
  std::uint64_t n = 0;
  for (std::int64_t length = 1; length <= longest_in_figures; ++length) {
    std::uint64_t most = 0;
    for (std::int64_t token = 0; token < length; ++token)
      most = std::max(most, summary.readings(category_of(length, token, false)));
    n += most;
  }
  const bool none = n == 0;
  for (std::int64_t length = 1; failures_ && length <= longest_in_figures; ++length)
    n += summary.readings(category_of(length, 0, true));
  for (std::uint32_t figure = 0; figure < description_.figures().size(); ++figure)
    sink.figure_prompts(figure, n);
  if (!published_ && lens == 0 && none)
    warn(run_, "facts: none is in the figures and summary tables", failures_ ? " as a right one" : "",
         ": they count true answers of up to ", longest_in_figures, " tokens that the model gives itself");
}

}  // namespace
}  // namespace depthlens::facts

DEPTHLENS_EXPERIMENT(depthlens::facts::facts_study, "experiment.facts", DEPTHLENS_VERSION,
                     "At which depth the first, second and third token of a fact become readable",
                     "Apache-2.0");
