// SPDX-License-Identifier: Apache-2.0
// When do the options of a multiple choice task become readable, and when is the choice made? Follows every
// option of a task through the layers at the end of each prompt. Which tokens the options are is
// study/options.hpp, the sums over all prompts are option_summary.hpp; what the published code does otherwise
// is downstream_published.hpp.
#include "downstream_published.hpp"
#include "option_summary.hpp"
#include "tables.hpp"
#include "tasks.hpp"

#include "depthlens/experiment.hpp"
#include "depthlens/study/clustered.hpp"
#include "depthlens/study/clusters.hpp"
#include "depthlens/study/layer_row.hpp"
#include "depthlens/study/options.hpp"
#include "depthlens/study/prompts_table.hpp"
#include "depthlens/study/said_prompts.hpp"
#include "depthlens/study/white_space.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens::downstream {
namespace {

// A row without a list in a file where the lists of other rows differ.
constexpr std::string_view no_options = "no options";

// Options that hold less of the probability at the last layer are hardly what the model would say.
constexpr double small_mass = 0.05;

class downstream_study final : public study {
 public:
  downstream_study(const dlens_run& run, const option_values& values)
      : run_(run),
        tokenizer_(run.tokenizer),
        is_blank_(run),
        said_(run),
        rule_(white_space_rule_of(values.at("whitespace"), run)),
        score_(values.at("score") == "string" ? option_score::string : option_score::first),
        tasks_(run) {}

  static constexpr bool reads_generated = true;
  static std::span<const dlens_option> options() {
    static constexpr const char* scores[] = {"first", "string", nullptr};
    static const std::array list = {
        make_option({.id = "score",
                     .type = DLENS_OPTION_CHOICE,
                     .fallback = "first",
                     .help = "Score an option by the first token at which the options differ, or as a whole "
                             "string.",
                     .choices = scores}),
        whitespace_option("drop")};
    return list;
  }
  static std::span<const dlens_input> inputs() {
    static constexpr const char* kinds[] = {"prompt", nullptr};
    static const std::array list = {make_input("*", kinds)};
    return list;
  }

  void survey(const record_view& record) override { tasks_.survey(record); }

  const description& describe() override {
    if (!description_) {
      tasks_.complete(tokenizer_);
      description_ = std::make_unique<description>(tables_of(tasks_, run_), figures_of(tasks_));
    }
    return *description_;
  }

  void plan(const record_view&, const tops_view&, const request_view&) const override;
  void consume(const record_view&, const answers_view&, std::uint32_t lens, const sink_view&) const override;
  void finish(const rows_view&, std::uint32_t lens, const sink_view&) const override;

 private:
  // What a record asks, after the answers so far.
  struct question {
    const task& of;
    prompt_state state = {};
    prompt_options options = {};  // the first so many of the task's
    bool asks_for_text = false;   // that the model says behind the prompt
  };

  bool published() const { return is_published(run_); }
  question question_of(const record_view&, const tops_view&) const;
  void append_rows(const question&, std::size_t gold, const record_view&, const answers_view&,
                   const sink_view&) const;
  template <class Reader>
  std::vector<option_summary> sum_up(const rows_view&) const;
  void write_summary(std::uint32_t task, option_summary&, const sink_view&) const;
  static void write_option(const task&, std::int64_t layer, std::size_t option, option_shares&,
                           option_summary&, const sink_view&);
  void write_measures(const task&, std::int64_t layer, const option_shares&, option_summary&,
                      const sink_view&) const;
  void warn_of_small_mass(const task&, option_summary&) const;

  const dlens_run& run_;
  tokenizer_view tokenizer_;
  white_space_test is_blank_;
  said_prompts said_;
  white_space_rule rule_;
  option_score score_;
  task_list tasks_;
  std::unique_ptr<description> description_;
};

downstream_study::question downstream_study::question_of(const record_view& record,
                                                         const tops_view& answers) const {
  question q{.of = tasks_.of(record)};
  prompt_ids encoded = encode_prompt(run_, tokenizer_, record.at("prompt"));
  const std::vector<std::string> texts = published() ? std::vector<std::string>{} : tasks_.texts_of(record);
  said_prompt said{.text = std::string(record.at("prompt"))};
  if (!answer_of(record))
    said.reason = reason::no_answer;
  else if (!published() && texts.empty())
    said.reason = no_options;
  else if (encoded.reason.empty())
    said = said_.find(record.at("prompt"), encoded.ids, texts, answers);
  q.state = settle(rule_, is_blank_, said.text, answers, 0, said_.rounds());
  if (said.asks || !said.reason.empty()) {
    if (q.state.prompt != record.at("prompt")) encoded = encode_prompt(run_, tokenizer_, q.state.prompt);
    q.options = {.prompt = std::move(encoded.ids), .reason = said.reason};
    q.asks_for_text = said.asks && said.reason.empty();
  } else if (published()) {
    q.options = published_options(run_, tokenizer_, q.state.prompt, q.of);
  } else {
    const std::string where = cat("downstream.", q.of.name, ": row ", record.index());
    q.options = options_of_prompt(run_, tokenizer_, q.state.prompt, texts, score_, where,
                                  "; use --downstream.score string");
  }
  if (q.state.stage == prompt_state::dropped) q.options.reason = reason::white_space;
  return q;
}

void downstream_study::plan(const record_view& record, const tops_view& answers,
                            const request_view& request) const {
  const question q = question_of(record, answers);
  if (q.state.stage != prompt_state::ask || !q.options.reason.empty()) return;
  if (q.asks_for_text)
    said_.ask(q.options.prompt, request);
  else
    ask_options(q.options, published() ? option_score::first : score_, request);
}

void downstream_study::consume(const record_view& record, const answers_view& answers, std::uint32_t /*lens*/,
                               const sink_view& sink) const {
  const question q = question_of(record, answers);
  prompt_line line{.prompt_id = record.index(),
                   .text = q.state.prompt,
                   .ids = q.options.prompt,
                   .reason = q.options.reason,
                   .cluster = cluster_of(record)};
  std::size_t gold = 0;
  if (q.options.reason.empty()) {
    gold = tasks_.gold_of(record);
    line.gold = q.options.token(gold);
  }
  std::vector<dlens_value> more;
  const std::optional<std::string> said = said_.said(answers);
  if (said_.tokens() > 0) more.push_back(said ? text_value(*said) : null_value());
  append_prompt(sink, q.of.table(task_table::prompts), line, q.of.name, more);
  if (!q.options.reason.empty()) return;
  if (published())
    append_published_rows(q.of, q.state.prompt, record, answers.reading(q.state.round, 0), tokenizer_, sink);
  else
    append_rows(q, gold, record, answers, sink);
}

void downstream_study::append_rows(const question& q, std::size_t gold, const record_view& record,
                                   const answers_view& answers, const sink_view& sink) const {
  const dlens_reading& reading = answers.reading(q.state.round, q.options.read());
  const std::vector<option_scores> scores = score_options(q.options, score_, answers, q.state.round);
  layer_row row(run_, tokenizer_, record.index(), q.options.position(), reading, q.options.token(gold));
  std::vector<std::string> names, texts;
  for (std::size_t o = 0; o < scores.size(); ++o) {
    names.push_back(visible(q.of.options[o]));
    texts.push_back(visible(tokenizer_.bytes(q.options.token(o))));
  }
  for (std::size_t i = 0; i < row.layers(); ++i) {
    const std::vector<dlens_value> common = row.values(i);
    for (std::size_t o = 0; o < scores.size(); ++o) {
      std::vector<dlens_value> values = common;
      values.insert(values.end(), {text_value(names[o]), i64_value(q.options.token(o)), text_value(texts[o]),
                                   i64_value(o == gold ? 1 : 0), i64_value(scores[o].rank[i]),
                                   f32_value(static_cast<float>(scores[o].logprob[i]))});
      sink.append(q.of.table(task_table::rows), values);
    }
  }
}

template <class Reader>
std::vector<option_summary> downstream_study::sum_up(const rows_view& rows) const {
  std::vector<option_summary> out(tasks_.size());
  std::vector<Reader> readers;
  std::vector<std::optional<std::uint64_t>> records(tasks_.size());  // whose rows are coming in
  std::vector<std::optional<cluster_weights>> clusters(tasks_.size());
  for (std::uint32_t t = 0; t < tasks_.size(); ++t) readers.emplace_back(*description_, tasks_[t], out[t]);
  std::vector<std::uint32_t> prompts;
  for (std::uint32_t t = 0; t < tasks_.size(); ++t) prompts.push_back(tasks_[t].table(task_table::prompts));
  current_cluster cluster(*description_, prompts);
  const auto end = [&](std::uint32_t t) {
    readers[t].end_layer();
    if (out[t].in_prompt()) out[t].end_prompt(*clusters[t]);
  };
  while (const dlens_row* row = rows.next()) {
    cluster.see(*row);
    const std::uint32_t t = row->table / task_table::count;
    if (row->table != tasks_[t].table(task_table::rows)) continue;
    if (records[t] && *records[t] != row->record) end(t);
    if (records[t] != row->record) clusters[t] = cluster.weights();
    records[t] = row->record;
    readers[t].add(*row);
  }
  for (std::uint32_t t = 0; t < tasks_.size(); ++t) end(t);
  return out;
}

void downstream_study::finish(const rows_view& rows, std::uint32_t lens, const sink_view& sink) const {
  std::vector<option_summary> summaries =
      published() ? sum_up<published_row_reader>(rows) : sum_up<option_row_reader>(rows);
  for (std::uint32_t t = 0; t < tasks_.size(); ++t) {
    write_summary(t, summaries[t], sink);
    if (lens == 0 && !published()) warn_of_small_mass(tasks_[t], summaries[t]);
  }
}

// The last layer is the model's own output, whatever the lens.
void downstream_study::warn_of_small_mass(const task& of, option_summary& summary) const {
  if (summary.layers().empty()) return;
  const option_shares& last = summary.layers().rbegin()->second;
  const double mass = last.mass.mean().value_or(1);
  if (mass < small_mass)
    warn(run_, "downstream.", of.name, ": at the last layer the options hold ", std::round(mass * 1e4) / 1e4,
         " of the probability (mean of ", last.rows.n(),
         " prompts), so the model would hardly say one of them; look at how the prompts end, and at the "
         "options");
}

void downstream_study::write_summary(std::uint32_t number, option_summary& summary,
                                     const sink_view& sink) const {
  const task& of = tasks_[number];
  for (auto& [layer, sums] : summary.layers()) {
    for (std::size_t o = 0; o < sums.options.size(); ++o) write_option(of, layer, o, sums, summary, sink);
    write_measures(of, layer, sums, summary, sink);
  }
  for (const std::uint32_t figure : {0U, 1U}) sink.figure_prompts(2 * number + figure, summary.prompts());
}

void downstream_study::write_option(const task& of, std::int64_t layer, std::size_t option,
                                    option_shares& sums, option_summary& summary, const sink_view& sink) {
  const std::string name = visible(of.options[option]);
  for (std::size_t group = 0; group < option_is_names.size(); ++group) {
    option_sums& s = sums.options[option][group];
    if (s.ranks.n() == 0) continue;
    std::vector<dlens_value> values = {i64_value(layer),
                                       text_value(name),
                                       i64_value(static_cast<std::int64_t>(s.ranks.n())),
                                       f64_value(s.ranks.mean()),
                                       f64_value(s.ranks.median()),
                                       f64_value(s.probability.mean().value_or(0)),
                                       text_value(option_is_names[group]),
                                       f64_value(s.ranks.quantile(0.25)),
                                       f64_value(s.ranks.quantile(0.75))};
    const std::uint64_t clusters = summary.clusters(option, group);
    append_interval(values, s.probability.ends(s.rows, clusters));
    values.push_back(i64_value(static_cast<std::int64_t>(clusters)));
    sink.append(of.table(task_table::options), values);
  }
}

void downstream_study::write_measures(const task& of, std::int64_t layer, const option_shares& s,
                                      option_summary& summary, const sink_view& sink) const {
  const std::uint64_t clusters = summary.clusters();
  const auto line = [&](std::string_view measure, std::string_view label, double value,
                        const std::optional<interval>& ends) {
    std::vector<dlens_value> values = {i64_value(layer), text_value(measure), f64_value(value),
                                       i64_value(static_cast<std::int64_t>(s.rows.n())), text_value(label)};
    append_interval(values, ends);
    values.push_back(i64_value(static_cast<std::int64_t>(clusters)));
    sink.append(of.table(task_table::accuracy), values);
  };
  const auto share = [&](std::string_view measure, std::string_view label, const clustered_share& part) {
    line(measure, label, part.of(s.rows).value_or(0), part.ends(s.rows, clusters));
  };
  share("option_accuracy", "best option is right", s.correct);
  share("agreement", "best option as in the end", s.agreed);
  share("top_in_options", "top-1 is an option", s.top_in_options);
  if (score_ == option_score::first || published())
    share("set_match", "all options before all other tokens", s.set_match);
  line("option_mass", "probability of all options", s.mass.mean().value_or(0), s.mass.ends(s.rows, clusters));
  if (!published()) line("chance", "right by chance", summary.chance(), std::nullopt);
}

}  // namespace
}  // namespace depthlens::downstream

DEPTHLENS_EXPERIMENT(
    depthlens::downstream::downstream_study, "experiment.downstream", DEPTHLENS_VERSION,
    "When the options of a multiple choice task become readable, and when the choice is made", "Apache-2.0");
