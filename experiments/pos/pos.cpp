// SPDX-License-Identifier: Apache-2.0
// At which depth does the next word become readable, by its part of speech? Reads the model where a word with
// the tag comes next (or where a row's prompt ends) and follows its final top-1 through the layers.
#include "states.hpp"

#include "depthlens/experiment.hpp"
#include "depthlens/study/depth_summary.hpp"
#include "depthlens/study/layer_row.hpp"
#include "depthlens/study/prompts_table.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace depthlens::pos {
namespace {

class pos_study final : public study {
 public:
  pos_study(const dlens_run& run, const option_values& options);

  static std::span<const dlens_option> options();
  static std::span<const dlens_input> inputs();

  const description& describe() override { return *description_; }
  void plan(const record_view&, const answers_view&, const request_view&) const override;
  void consume(const record_view&, const answers_view&, std::uint32_t lens, const sink_view&) const override;
  void left_out(const record_view&, const sink_view&) const override;
  void finish(const rows_view&, std::uint32_t lens, const sink_view&) const override;

 private:
  // What the records of a data set are.
  struct source {
    bool sentences = false;
    std::vector<wanted_tag> tags;  // of sentences
    std::size_t set = 0;           // of rows
  };

  std::size_t add_set(const std::string& name, const std::string& key);
  void sort_sets();
  void make_description();
  std::vector<table> row_tables() const;
  std::vector<target> targets_of(const record_view&) const;
  std::vector<target_state> states_of(const std::vector<target>&, const answers_view&) const;
  void warn_of_empty_sets(depth_summary& summary) const;
  bool seed() const { return run_.seed_compat != 0; }
  // Tables: the rows of set i, the prompts of set i, then the summaries.
  std::uint32_t rows_table(std::size_t set) const { return static_cast<std::uint32_t>(set); }
  std::uint32_t prompts_table_of(std::size_t set) const {
    return static_cast<std::uint32_t>(sets_.size() + set);
  }
  void append_rows(const target_state&, const dlens_reading&, const record_view&, const sink_view&) const;
  void append_seed_rows(const target_state&, const dlens_reading&, const record_view&,
                        const sink_view&) const;
  std::optional<std::int32_t> gold_of(const target_state&, const dlens_reading*) const;
  std::string_view seed_reason(const target_state&, const dlens_reading&) const;
  void add_row(const dlens_row&, depth_summary&) const;

  const dlens_run& run_;
  tokenizer_view tokenizer_;
  target_rules rules_;
  std::string whitespace_;
  target_states states_;
  std::vector<std::string> sets_;
  std::vector<source> sources_;  // by data set
  std::unique_ptr<description> description_;
};

std::span<const dlens_option> pos_study::options() {
  static constexpr const char* words[] = {"first", "all", nullptr};
  static constexpr const char* whitespace[] = {"auto", "keep", "retry", "drop", nullptr};
  static const std::array all = {
      make_option("words", DLENS_OPTION_CHOICE, "first",
                  "In a tagged sentence, read the first word with each tag, or every such word.", words),
      make_option("min-prompt", DLENS_OPTION_I64, "17",
                  "Characters that must stand before a word of a tagged sentence.", nullptr, 1, 1e6),
      make_option(
          "whitespace", DLENS_OPTION_CHOICE, "auto",
          "A final top-1 of white space counts, is asked again after a blank, or is left out (auto: keep for "
          "BASELINE, else drop).",
          whitespace)};
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

pos_study::pos_study(const dlens_run& run, const option_values& options)
    : run_(run), tokenizer_(run.tokenizer), whitespace_(options.at("whitespace")), states_(run, tokenizer_) {
  rules_ = {options.at("words") == "all", std::stoul(options.at("min-prompt")), seed()};
  if (rules_.all_words && seed())
    fail(status::usage, "--words all cannot go with --seed-compat, which reads one word");
  for (const dlens_dataset* d : std::span(run.datasets, run.n_datasets)) {
    source& s = sources_.emplace_back();
    const std::string set = d->set, key = set.empty() ? "pos" : "pos." + set;
    s.sentences = std::string_view(d->kind) == "sentence";
    if (!set.empty()) check_set(set, key, s.sentences);
    if (s.sentences && set.empty())
      for (const std::string_view tag : six_tags)
        s.tags.push_back({std::string(tag), add_set(std::string(tag), key)});
    else if (s.sentences)
      s.tags = {{set, add_set(set, key)}};
    else
      s.set = add_set(set, key);
  }
  sort_sets();
  make_description();
}

std::size_t pos_study::add_set(const std::string& name, const std::string& key) {
  if (std::find(sets_.begin(), sets_.end(), name) != sets_.end())
    fail(status::usage, "--data ", key, "=...: the set ", name,
         " comes from other data too, of this command or of the run in its folder; give each set once");
  for (const char c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-')
      fail(status::usage, "--data ", key, "=...: the name of a set may have letters, digits, _ and -");
  sets_.push_back(name);
  return sets_.size() - 1;
}

// The order of the figures, whatever order the files are given in.
void pos_study::sort_sets() {
  const std::vector<std::string> given = sets_;
  const auto rank = [](const std::string& set) {
    const auto at = std::find(six_tags.begin(), six_tags.end(), set) - six_tags.begin();
    return at + (set == "BASELINE" ? 1 : 0);
  };
  std::stable_sort(sets_.begin(), sets_.end(),
                   [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  const auto moved = [&](std::size_t i) {
    return static_cast<std::size_t>(std::find(sets_.begin(), sets_.end(), given[i]) - sets_.begin());
  };
  for (source& s : sources_) {
    for (wanted_tag& tag : s.tags) tag.set = moved(tag.set);
    if (!s.sentences) s.set = moved(s.set);
  }
}

std::vector<table> pos_study::row_tables() const {
  std::vector<table> out;
  const std::vector<column> own = {
      {"form", DLENS_TEXT,
       "how the answer follows: source (as the text has it), blank, bare; empty without answer"},
      {"word", DLENS_TEXT, "the answer"}};
  const std::vector<column> published = {{"layer", DLENS_TEXT},       {"prompt index", DLENS_I64},
                                         {"prompt", DLENS_TEXT},      {"answer", DLENS_I64},
                                         {"answer_text", DLENS_TEXT}, {"guess", DLENS_I64},
                                         {"rank", DLENS_I64},         {"probability", DLENS_F64}};
  for (const std::string& set : sets_) {
    if (seed())
      out.push_back({"rows." + set, "{name}_" + set + "_{lens}", published});
    else
      out.push_back({"rows." + set, "pos_" + set + "_{lens}", layer_columns(own)});
  }
  for (const std::string& set : sets_)
    out.push_back(prompts_table("prompts." + set, "prompts_pos_" + set,
                                {{"position", DLENS_I64, "place of the last id, the one that is read"},
                                 {"word", DLENS_TEXT, "the answer"}}));
  return out;
}

void pos_study::make_description() {
  std::vector<table> tables = row_tables();
  for (table& t : depth_tables("pos")) tables.push_back(std::move(t));
  if (seed())
    tables.push_back(
        {"curve",
         "pos_{lens} _{name}_pos",
         {{"k", DLENS_I64}, {"type", DLENS_TEXT}, {"average layer", DLENS_F64}, {"std layer", DLENS_F64}},
         DLENS_TABLE_SUMMARY});
  const depth_figure_style style{
      "parts of speech", seed() ? "{name}_pos_{lens}" : "earliest_layer_pos_{lens}", "", "", true, !seed()};
  description_ = std::make_unique<description>(std::move(tables), depth_figures("pos", style));
}

std::vector<target> pos_study::targets_of(const record_view& record) const {
  const source& s = sources_.at(record.dataset());
  if (s.sentences) return sentence_targets(record, s.tags, rules_);
  return {row_target(record, s.set)};
}

std::vector<target_state> pos_study::states_of(const std::vector<target>& targets,
                                               const answers_view& answers) const {
  return states_.after(targets, answers, [&](const target& t) {
    return white_space_rule_of(whitespace_, run_,
                               sets_[t.set] == "BASELINE" ? white_space_rule::keep : white_space_rule::drop);
  });
}

void pos_study::plan(const record_view& record, const answers_view& answers,
                     const request_view& request) const {
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
  return seed() && s.what->answer && reading != nullptr ? std::optional(reading->final_top) : std::nullopt;
}

// The published filter: the top-1 begins the answer in one of its forms.
std::string_view pos_study::seed_reason(const target_state& s, const dlens_reading& reading) const {
  if (!s.what->answer) return {};
  for (const std::string& text : {*s.what->answer, ' ' + *s.what->answer}) {
    const std::vector<std::int32_t> ids = seed_answer_ids(tokenizer_, text);
    if (!ids.empty() && ids.front() == reading.final_top) return {};
  }
  return reason::wrong;
}

void pos_study::consume(const record_view& record, const answers_view& answers, std::uint32_t lens,
                        const sink_view& sink) const {
  const std::vector<target> targets = targets_of(record);
  for (const target_state& s : states_of(targets, answers)) {
    const std::size_t set = s.what->set;
    std::string_view why = s.reason;
    const dlens_reading* reading = why.empty() ? &answers.reading(s.round, s.read, lens) : nullptr;
    if (reading != nullptr && seed()) why = seed_reason(s, *reading);
    const std::vector<dlens_value> own = {
        s.tried.ids.empty() ? null_value() : i64_value(static_cast<std::int64_t>(s.tried.ids.size()) - 1),
        s.what->answer ? text_value(*s.what->answer) : null_value()};
    append_prompt(sink, prompts_table_of(set),
                  {record.index(), s.tried.prompt, s.tried.ids,
                   why == reason::wrong ? std::nullopt : gold_of(s, reading), why},
                  sets_[set], own);
    if (!why.empty()) continue;
    if (seed())
      append_seed_rows(s, *reading, record, sink);
    else
      append_rows(s, *reading, record, sink);
  }
  for (const wanted_tag& tag : sources_.at(record.dataset()).tags)
    if (std::none_of(targets.begin(), targets.end(), [&](const target& t) { return t.set == tag.set; }))
      sink.count(sets_[tag.set], "no such word");
}

void pos_study::left_out(const record_view& record, const sink_view& sink) const {
  const std::size_t set = sources_.at(record.dataset()).set;
  append_left_out(sink, prompts_table_of(set), record, sets_[set], std::array{null_value(), null_value()});
}

void pos_study::append_rows(const target_state& s, const dlens_reading& reading, const record_view& record,
                            const sink_view& sink) const {
  const answer_form* form = choose_form(s.tried.forms, reading.final_top);
  const std::vector<dlens_value> own = {form == nullptr ? null_value() : text_value(form->form),
                                        s.what->answer ? text_value(*s.what->answer) : null_value()};
  layer_row row(run_, tokenizer_, record.index(), s.tried.ids.size() - 1, reading, gold_of(s, &reading));
  row.append(sink, rows_table(s.what->set), [&](std::size_t) { return own; });
}

void pos_study::append_seed_rows(const target_state& s, const dlens_reading& reading,
                                 const record_view& record, const sink_view& sink) const {
  const std::size_t k = target_index(reading, reading.final_top);
  for (std::size_t i = 0; i < reading.n_layers; ++i) {
    if (reading.layers[i] == 0) continue;
    const std::string layer = seed_layer_name(reading.layers[i]);
    const std::array values = {text_value(layer),
                               i64_value(static_cast<std::int64_t>(record.index())),
                               text_value(s.tried.prompt),
                               i64_value(reading.final_top),
                               s.what->answer ? text_value(*s.what->answer) : null_value(),
                               i64_value(reading.guess[i]),
                               i64_value(reading.rank[k][i]),
                               f64_value(std::exp(static_cast<double>(reading.logprob[k][i])))};
    sink.append(rows_table(s.what->set), values);
  }
}

void pos_study::add_row(const dlens_row& row, depth_summary& summary) const {
  const dlens_value* v = row.values;
  if (seed()) {
    const auto prompt = static_cast<std::uint64_t>(v[1].as.i64);
    summary.add(row.table, {row.dataset, row.record, row.table, 0}, prompt,
                seed_layer_number(to_view(v[0].as.text)),
                {static_cast<std::uint64_t>(v[6].as.i64), v[7].as.f64, std::nullopt, std::nullopt});
    return;
  }
  namespace c = layer_column;
  if (v[c::correct].type != DLENS_NULL && v[c::correct].as.i64 == 0) return;
  const auto position = static_cast<std::uint64_t>(v[c::position].as.i64);
  summary.add(row.table, {row.dataset, row.record, row.table, position},
              static_cast<std::uint64_t>(v[c::prompt_id].as.i64), v[c::layer].as.i64,
              {static_cast<std::uint64_t>(v[c::rank].as.i64), std::exp(v[c::logprob].as.f64),
               v[c::entropy].as.f64, v[c::kl].as.f64});
}

void pos_study::warn_of_empty_sets(depth_summary& summary) const {
  std::string empty;
  for (std::size_t set = 0; set < sets_.size(); ++set)
    if (summary.readings(set) == 0) empty += (empty.empty() ? "" : ", ") + sets_[set];
  if (!empty.empty())
    warn(run_, "pos: no prompt of ", empty,
         " is in the figures and summary tables: they count those whose final top-1 is the answer");
}

void pos_study::finish(const rows_view& rows, std::uint32_t lens, const sink_view& sink) const {
  std::vector<depth_category> categories;
  for (const std::string& set : sets_) categories.push_back({set});
  depth_summary summary(std::move(categories), seed() ? pos_k_grid() : default_k_grid(), run_.n_layers);
  while (const dlens_row* row = rows.next())
    if (row->table < sets_.size()) add_row(*row, summary);
  summary.write(sink, description_->table_number("earliest"), description_->table_number("onsets"),
                description_->table_number("layers"));
  std::uint64_t n = 0;
  for (std::size_t set = 0; set < sets_.size(); ++set) n += summary.readings(set);
  for (std::uint32_t figure = 0; figure < description_->c()->n_figures; ++figure)
    sink.figure_prompts(figure, n);
  if (!seed() && lens == 0) warn_of_empty_sets(summary);
  if (!seed()) return;
  const std::uint32_t curve = description_->table_number("curve");
  summary.each_point([&](const depth_category& category, const onset_curve::point& p) {
    if (!p.mean_first) return;
    const std::string type = category.name + "_" + run_.lens_labels[lens];
    sink.append(curve, std::array{i64_value(static_cast<std::int64_t>(p.k)), text_value(type),
                                  f64_value(*p.mean_first), f64_value(*p.std_first)});
  });
}

}  // namespace
}  // namespace depthlens::pos

DEPTHLENS_EXPERIMENT(depthlens::pos::pos_study, "experiment.pos", DEPTHLENS_VERSION,
                     "At which depth the next word becomes readable, by part of speech");
