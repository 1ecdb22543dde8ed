// SPDX-License-Identifier: Apache-2.0
// At which depth does the next word become readable, by its part of speech? Reads the model where a word with
// the tag comes next (or where a row's prompt ends) and follows its final top-1 through the layers. What the
// published code does otherwise is pos_published.hpp.
#include "pos_published.hpp"
#include "sets.hpp"
#include "states.hpp"

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
#include <utility>
#include <vector>

namespace depthlens::pos {
namespace {

// The answer of a target as its table of prompts and its rows have it.
dlens_value word_value(const target_state& s) {
  return s.what->answer ? text_value(*s.what->answer) : null_value();
}

class pos_study final : public study {
 public:
  pos_study(const dlens_run& run, const option_values& options)
      : run_(run),
        tokenizer_(run.tokenizer),
        rules_(rules_of(run, options)),
        whitespace_(options.at("whitespace")),
        failures_(wants_failures(options, run)),
        states_(run, tokenizer_),
        sets_(run),
        description_(tables(), figures()) {}

  static std::span<const dlens_option> options();
  static std::span<const dlens_input> inputs();

  const description& describe() override { return description_; }
  void plan(const record_view&, const tops_view&, const request_view&) const override;
  void consume(const record_view&, const answers_view&, std::uint32_t lens, const sink_view&) const override;
  void left_out(const record_view&, const sink_view&) const override;
  void finish(const rows_view&, std::uint32_t lens, const sink_view&) const override;

 private:
  static target_rules rules_of(const dlens_run& run, const option_values& options);
  std::vector<table> tables() const;
  std::vector<figure> figures() const;
  std::vector<target> targets_of(const record_view&) const;
  std::vector<target_state> states_of(const std::vector<target>&, const tops_view&) const;
  std::optional<std::int32_t> gold_of(const target_state&, const dlens_reading*) const;
  void append_rows(const target_state&, const dlens_reading&, const record_view&, const sink_view&) const;
  std::vector<dlens_value> own_values(const target_state&, std::string_view why, const dlens_reading*) const;
  std::vector<depth_category> categories() const;
  std::vector<std::uint32_t> prompts_tables() const;
  void add_published_rows(const rows_view&, depth_summary&) const;
  void add_rows(const rows_view&, depth_summary&) const;
  void warn_of_empty_sets(depth_summary& summary) const;
  bool published() const { return is_published(run_); }
  // Tables: the rows of set i, the prompts of set i, then the summaries.
  std::uint32_t rows_table(std::size_t set) const { return static_cast<std::uint32_t>(set); }
  std::uint32_t prompts_table_of(std::size_t set) const {
    return static_cast<std::uint32_t>(sets_.size() + set);
  }

  const dlens_run& run_;
  tokenizer_view tokenizer_;
  target_rules rules_;
  std::string whitespace_;
  bool failures_;
  target_states states_;
  set_list sets_;
  description description_;
};

std::span<const dlens_option> pos_study::options() {
  static constexpr const char* words[] = {"first", "all", nullptr};
  static constexpr const char* whitespace[] = {"auto", "keep", "retry", "drop", nullptr};
  static const std::array all = {
      make_option({.id = "words",
                   .type = DLENS_OPTION_CHOICE,
                   .fallback = "first",
                   .help = "In a tagged sentence, read the first word with each tag, or every such word.",
                   .choices = words}),
      make_option({.id = "min-prompt",
                   .type = DLENS_OPTION_I64,
                   .fallback = "17",
                   .help = "Characters that must stand before a word of a tagged sentence.",
                   .least = 1,
                   .most = 1'000'000}),
      make_option({.id = "whitespace",
                   .type = DLENS_OPTION_CHOICE,
                   .fallback = "auto",
                   .help = "A final top-1 of white space counts, is asked again after a blank, or is left "
                           "out (auto: keep for BASELINE, else drop).",
                   .choices = whitespace}),
      failures_option()};
  return all;
}

std::span<const dlens_input> pos_study::inputs() {
  static constexpr const char* tagged[] = {"sentence", nullptr};
  static constexpr const char* running[] = {"prompt", "cut", nullptr};
  static constexpr const char* any[] = {"prompt", "sentence", nullptr};
  static const std::array all = {make_input("", tagged), make_input("BASELINE", running),
                                 make_input("*", any)};
  return all;
}

target_rules pos_study::rules_of(const dlens_run& run, const option_values& options) {
  const target_rules rules{options.at("words") == "all", std::stoul(options.at("min-prompt")),
                           is_published(run)};
  if (rules.all_words && is_published(run))
    fail(status::usage, "--words all cannot go with --seed-compat, which reads one word");
  return rules;
}

std::vector<table> pos_study::tables() const {
  std::vector<table> out;
  const std::vector<column> own = {
      {"form", DLENS_TEXT,
       "how the answer follows: source (as the text has it), blank, bare; empty without answer"},
      {"word", DLENS_TEXT, "the answer"}};
  for (const std::string& set : sets_.names()) {
    if (published())
      out.push_back(published_rows(set));
    else
      out.push_back({"rows." + set, "pos_" + set + "_{lens}", layer_columns(own)});
  }
  std::vector<column> of_prompts = {{"position", DLENS_I64, "place of the last id, the one that is read"},
                                    {"word", DLENS_TEXT, "the answer"}},
                      more;
  if (failures_) {
    of_prompts.push_back({"correct", DLENS_I64,
                          "1 = the model's own top-1 is gold, 0 = wrong; empty where not read or no gold"});
    more = {wrong_column(), {"set", DLENS_TEXT, "the category without \", wrong\""}};
  }
  for (const std::string& set : sets_.names())
    out.push_back(prompts_table("prompts." + set, "prompts_pos_" + set, of_prompts));
  for (table& t : depth_tables("pos", published(), more)) out.push_back(std::move(t));
  if (published()) out.push_back(published_curve());
  return out;
}

std::vector<figure> pos_study::figures() const {
  return depth_figures("pos", {.what = "parts of speech",
                               .earliest_file = published() ? published_figure : "earliest_layer_pos_{lens}",
                               .color = failures_ ? "set" : "",
                               .dash = failures_ ? "wrong" : "",
                               .published = published(),
                               .entropy = !published()});
}

std::vector<target> pos_study::targets_of(const record_view& record) const {
  const source& s = sets_.source_of(record);
  if (s.sentences) return sentence_targets(record, s.tags, rules_);
  return {row_target(record, s.set)};
}

std::vector<target_state> pos_study::states_of(const std::vector<target>& targets,
                                               const tops_view& answers) const {
  return states_.after(targets, answers, [&](const target& t) {
    const bool baseline = sets_[t.set] == baseline_set;
    return white_space_rule_of(whitespace_, run_, baseline ? white_space_rule::keep : white_space_rule::drop);
  });
}

void pos_study::plan(const record_view& record, const tops_view& answers, const request_view& request) const {
  const std::vector<target> targets = targets_of(record);
  for (const target_state& s : states_of(targets, answers)) {
    if (!s.ask) continue;
    std::vector<std::int32_t> wanted = {-1};
    for (const answer_form& form : s.tried.forms) wanted.push_back(form.ids.front());
    request.add_read(request.add_sequence(s.tried.ids), s.tried.ids.size() - 1, wanted);
  }
}

// Which token is the answer: of several forms the one the model's top-1 begins.
std::optional<std::int32_t> pos_study::gold_of(const target_state& s, const dlens_reading* reading) const {
  const answer_form* form = choose_form(s.tried.forms, reading == nullptr ? -1 : reading->final_top);
  if (form != nullptr) return form->ids.front();
  // As published, an answer has no forms; one that is kept begins with the top-1.
  const bool top = published() && s.what->answer && reading != nullptr;
  return top ? std::optional(reading->final_top) : std::nullopt;
}

// Of the table of prompts. `why` is empty where the prompt is kept.
std::vector<dlens_value> pos_study::own_values(const target_state& s, std::string_view why,
                                               const dlens_reading* reading) const {
  const std::vector<std::int32_t>& ids = s.tried.ids;
  std::vector<dlens_value> out = {
      ids.empty() ? null_value() : i64_value(static_cast<std::int64_t>(ids.size()) - 1), word_value(s)};
  if (!failures_) return out;
  const std::optional<std::int32_t> gold = why.empty() ? gold_of(s, reading) : std::nullopt;
  out.push_back(gold ? i64_value(reading->final_top == *gold ? 1 : 0) : null_value());
  return out;
}

void pos_study::consume(const record_view& record, const answers_view& answers, std::uint32_t /*lens*/,
                        const sink_view& sink) const {
  const std::vector<target> targets = targets_of(record);
  for (const target_state& s : states_of(targets, answers)) {
    const std::size_t set = s.what->set;
    std::string_view why = s.reason;
    const dlens_reading* reading = why.empty() ? &answers.reading(s.round, s.read) : nullptr;
    if (reading != nullptr && published()) why = published_reason(tokenizer_, s, *reading);
    append_prompt(sink, prompts_table_of(set),
                  {.prompt_id = record.index(),
                   .text = s.tried.prompt,
                   .ids = s.tried.ids,
                   .gold = why == reason::wrong ? std::nullopt : gold_of(s, reading),
                   .reason = why,
                   .cluster = cluster_of(record)},
                  sets_[set], own_values(s, why, reading));
    if (!why.empty()) continue;
    if (published())
      append_published_rows(s, *reading, record, sink, rows_table(set));
    else
      append_rows(s, *reading, record, sink);
  }
  for (const wanted_tag& tag : sets_.source_of(record).tags)
    if (std::none_of(targets.begin(), targets.end(), [&](const target& t) { return t.set == tag.set; }))
      sink.count(sets_[tag.set], "no such word");
}

void pos_study::left_out(const record_view& record, const sink_view& sink) const {
  const std::size_t set = sets_.source_of(record).set;
  const std::vector<dlens_value> own(failures_ ? 3 : 2, null_value());
  append_left_out(sink, prompts_table_of(set), record, sets_[set], own);
}

void pos_study::append_rows(const target_state& s, const dlens_reading& reading, const record_view& record,
                            const sink_view& sink) const {
  const answer_form* form = choose_form(s.tried.forms, reading.final_top);
  const std::vector<dlens_value> own = {form == nullptr ? null_value() : text_value(form->form),
                                        word_value(s)};
  layer_row row(run_, tokenizer_, record.index(), s.tried.ids.size() - 1, reading, gold_of(s, &reading));
  row.append(sink, rows_table(s.what->set), [&](std::size_t) { return own; });
}

// The sets and, behind them, so that no first dash pattern is that of the wrong, the sets again.
std::vector<depth_category> pos_study::categories() const {
  std::vector<depth_category> out;
  for (const std::string& set : sets_.names())
    out.push_back(failures_ ? depth_category{set, {0}, {set}} : depth_category{set});
  for (std::size_t set = 0; failures_ && set < sets_.size(); ++set)
    out.push_back({wrong_name(sets_[set]), {1}, {sets_[set]}});
  return out;
}

std::vector<std::uint32_t> pos_study::prompts_tables() const {
  std::vector<std::uint32_t> out;
  for (std::size_t set = 0; set < sets_.size(); ++set) out.push_back(prompts_table_of(set));
  return out;
}

void pos_study::add_published_rows(const rows_view& rows, depth_summary& summary) const {
  const published_row_reader read(description_, rows_table(0));
  current_cluster cluster(description_, prompts_tables());
  while (const dlens_row* row = rows.next()) {
    cluster.see(*row);
    if (row->table < sets_.size())
      summary.add(row->table, {row->dataset, row->record, row->table, 0}, cluster.weights(), read(*row));
  }
}

// The rows of prompts that the model answers right, or that have no answer; those of the wrong ones about the
// answer.
void pos_study::add_rows(const rows_view& rows, depth_summary& summary) const {
  const std::uint32_t first = rows_table(0);  // the columns are the same for every set
  const depth_row_reader read(description_, first), read_gold(description_, first, depth_of::gold);
  const row_column correct = description_.column_of(first, "correct"),
                   position = description_.column_of(first, "position");
  current_cluster cluster(description_, prompts_tables());
  while (const dlens_row* row = rows.next()) {
    cluster.see(*row);
    if (row->table >= sets_.size()) continue;
    const bool wrong = !correct.is_null(*row) && correct.i64(*row) == 0;
    if (wrong && !failures_) continue;
    summary.add(row->table + (wrong ? sets_.size() : 0),
                {row->dataset, row->record, row->table, static_cast<std::uint64_t>(position.i64(*row))},
                cluster.weights(), wrong ? read_gold(*row) : read(*row));
  }
}

void pos_study::warn_of_empty_sets(depth_summary& summary) const {
  std::string empty;
  for (std::size_t set = 0; set < sets_.size(); ++set)
    if (summary.readings(set) == 0) empty += (empty.empty() ? "" : ", ") + sets_[set];
  if (!empty.empty())
    warn(run_, "pos: no prompt of ", empty, " is in the figures and summary tables",
         failures_ ? " as a right one" : "", ": they count those whose final top-1 is the answer");
}

void pos_study::finish(const rows_view& rows, std::uint32_t lens, const sink_view& sink) const {
  const std::vector<depth_category> all = categories();
  depth_summary summary(all, published() ? pos_k_grid() : default_k_grid(), run_.n_layers);
  if (published())
    add_published_rows(rows, summary);
  else
    add_rows(rows, summary);
  summary.write(sink, depth_table_numbers_of(description_, published()));
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < all.size(); ++i) n += summary.readings(i);
  for (std::uint32_t figure = 0; figure < description_.figures().size(); ++figure)
    sink.figure_prompts(figure, n);
  if (published())
    write_published_curve(summary, run_.lens_labels[lens], sink, description_.table_number("curve"));
  else if (lens == 0)
    warn_of_empty_sets(summary);
}

}  // namespace
}  // namespace depthlens::pos

DEPTHLENS_EXPERIMENT(depthlens::pos::pos_study, "experiment.pos", DEPTHLENS_VERSION,
                     "At which depth the next word becomes readable, by part of speech", "Apache-2.0");
