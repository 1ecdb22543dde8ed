// SPDX-License-Identifier: Apache-2.0
// At which depth does the first, second and third token of a fact's answer become readable? The answer is
// given token by token (teacher forcing by ids), all positions in one pass. The published procedure is
// seed_course.hpp.
#include "forced_reads.hpp"
#include "seed_course.hpp"

#include "depthlens/experiment.hpp"
#include "depthlens/study/depth_summary.hpp"
#include "depthlens/study/layer_row.hpp"
#include "depthlens/study/prompts_table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace depthlens::facts {
namespace {

// Answers of more tokens have rows but no curves, as published.
constexpr std::int64_t longest_in_figures = 3;

enum table_number : std::uint32_t {
  rows_table,
  prompts_table_number,
  earliest_table,
  onsets_table,
  layers_table
};

// Places of this experiment's own columns behind the default ones.
enum own_column : std::size_t {
  token_num = layer_column::count,
  answer_len,
  form,
  first_correct,
  all_before_correct,
  answer_correct,
  answer_kind,
  answer
};

class facts_study final : public study {
 public:
  facts_study(const dlens_run& run, const option_values& options)
      : run_(run),
        tokenizer_(run.tokenizer),
        is_blank_(tokenizer_, run.seed_compat != 0),
        seed_(tokenizer_),
        rule_(white_space_rule_of(options.at("whitespace"), run)),
        tokens_(std::stoul(options.at("tokens"))),
        once_(options.at("duplicates") == "once" && run.seed_compat == 0) {
    make_description();
  }

  static std::span<const dlens_option> options();
  static std::span<const dlens_input> inputs();

  const description& describe() override { return *description_; }
  void survey(const record_view&) override;
  void plan(const record_view&, const answers_view&, const request_view&) const override;
  void consume(const record_view&, const answers_view&, std::uint32_t lens, const sink_view&) const override;
  void left_out(const record_view&, const sink_view&) const override;
  void finish(const rows_view&, std::uint32_t lens, const sink_view&) const override;

 private:
  // A fact as it is run, with its own prompt or the one retried with a blank.
  struct attempt {
    prompt_state state;
    std::vector<std::int32_t> ids;
    std::vector<fact_answer> answers;
    std::optional<forced_reads> reads;
    std::string_view reason;  // empty = can be run
  };

  bool seed() const { return run_.seed_compat != 0; }
  void make_description();
  attempt attempt_of(const record_view&, const answers_view&) const;
  std::vector<answer_form> forms_of(const attempt&, const record_view&, std::string_view answer,
                                    bool is_true) const;
  bool duplicate(const record_view&) const;
  void append_rows(const attempt&, const fact_answer&, const record_view&, const answers_view&,
                   std::uint32_t lens, const sink_view&) const;
  void consume_seed(const record_view&, const answers_view&, std::uint32_t lens, const sink_view&) const;
  void append_seed_rows(const seed_course&, const seed_token&, const record_view&, const dlens_reading&,
                        const sink_view&) const;
  void add_row(const dlens_row&, depth_summary&) const;

  const dlens_run& run_;
  tokenizer_view tokenizer_;
  white_space_test is_blank_;
  seed_procedure seed_;
  white_space_rule rule_;
  std::size_t tokens_;
  bool once_;
  using place = std::pair<std::uint32_t, std::uint64_t>;             // data set, index
  std::map<std::pair<std::string, std::string>, place> first_seen_;  // by prompt and answer
  std::unique_ptr<description> description_;
};

std::span<const dlens_option> facts_study::options() {
  static constexpr const char* duplicates[] = {"once", "keep", nullptr};
  static constexpr const char* whitespace[] = {"keep", "retry", "drop", nullptr};
  static const std::array all = {
      make_option("tokens", DLENS_OPTION_I64, "3", "How many tokens of an answer are read.", nullptr, 1, 64),
      make_option("duplicates", DLENS_OPTION_CHOICE, "once",
                  "Repeated pairs of prompt and answer are read once, or each time.", duplicates),
      make_option("whitespace", DLENS_OPTION_CHOICE, "drop",
                  "A final top-1 of white space counts, is asked again after a blank, or is left out.",
                  whitespace)};
  return all;
}

std::span<const dlens_input> facts_study::inputs() {
  static constexpr const char* kinds[] = {"fact", "prompt", nullptr};
  static const std::array all = {make_input("", kinds)};
  return all;
}

void facts_study::make_description() {
  const std::vector<column> own = {
      {"token_num", DLENS_I64, "which token of the answer comes next, from 0"},
      {"answer_len", DLENS_I64, "tokens of the answer in this form"},
      {"form", DLENS_TEXT, "how the answer follows: source (as the text has it), blank, bare"},
      {"first_correct", DLENS_I64, "1 = the final top-1 at token 0 is the answer's"},
      {"all_before_correct", DLENS_I64, "1 = so at all tokens before this one"},
      {"answer_correct", DLENS_I64, "1 = so at all tokens that are read; these facts are in the figures"},
      {"answer_kind", DLENS_TEXT, "true, or new for the counterfactual answer; part of the row's key"},
      {"answer", DLENS_TEXT, "the whole answer"}};
  const std::vector<column> published = {{"layer", DLENS_TEXT},       {"prompt index", DLENS_I64},
                                         {"prompt", DLENS_TEXT},      {"answer", DLENS_I64},
                                         {"answer_text", DLENS_TEXT}, {"rank", DLENS_I64},
                                         {"token_num", DLENS_I64},    {"answer_len", DLENS_I64}};
  std::vector<table> tables;
  if (seed())
    tables.push_back({"rows", "fact_{name}_REASONING_{lens}", published});
  else
    tables.push_back({"rows", "facts_{lens}", layer_columns(own)});
  tables.push_back(prompts_table("prompts", "prompts_facts", {{"answer", DLENS_TEXT, "the whole answer"}}));
  for (table& t : depth_tables("facts", {{"answer_len", DLENS_I64, "tokens of the answer"},
                                         {"token_pos", DLENS_I64, "which of them comes next, from 1"}}))
    tables.push_back(std::move(t));
  const depth_figure_style style{
      "facts",      seed() ? "{name}_mquake_fact_{lens}" : "earliest_layer_facts_{lens}",
      "answer_len", "token_pos",
      !seed(),      !seed()};
  description_ = std::make_unique<description>(std::move(tables), depth_figures("facts", style));
}

void facts_study::survey(const record_view& record) {
  if (!once_) return;
  if (const auto answer = record.find("answer"))
    first_seen_.try_emplace({std::string(record.at("prompt")), std::string(*answer)}, record.dataset(),
                            record.index());
}

bool facts_study::duplicate(const record_view& record) const {
  const auto answer = record.find("answer");
  if (!once_ || !answer) return false;
  const auto at = first_seen_.find({std::string(record.at("prompt")), std::string(*answer)});
  return at != first_seen_.end() && at->second != place{record.dataset(), record.index()};
}

std::vector<answer_form> facts_study::forms_of(const attempt& a, const record_view& record,
                                               std::string_view answer, bool is_true) const {
  std::optional<std::string_view> source;
  const std::optional<std::string_view> text = is_true ? record.find("text") : std::nullopt;
  if (text && !(source = source_continuation(*text, record.at("prompt"), answer)))
    fail(status::data, "row ", record.index(), ": \"text\" does not go on with the answer \"", answer,
         "\" after the prompt; give the text that the prompt was cut from, or none");
  // The source text has no blank where the retried prompt has one.
  if (a.state.round == 1) source.reset();
  return answer_forms(tokenizer_, a.state.prompt, a.ids, answer, source);
}

facts_study::attempt facts_study::attempt_of(const record_view& record, const answers_view& answers) const {
  attempt out{settle(rule_, is_blank_, record.at("prompt"), answers), {}, {}, {}, {}};
  prompt_ids encoded = encode_prompt(run_, tokenizer_, out.state.prompt);
  out.ids = std::move(encoded.ids);
  const std::optional<std::string_view> answer_text = record.find("answer"), other = record.find("other");
  if (!answer_text || answer_text->empty())
    out.reason = reason::no_answer;
  else if (duplicate(record))
    out.reason = reason::duplicate;
  else
    out.reason = encoded.reason;
  if (!out.reason.empty()) return out;

  const auto add = [&](std::string_view kind, std::string_view text) {
    std::vector<answer_form> forms = forms_of(out, record, text, kind == "true");
    if (!forms.empty()) out.answers.push_back({kind, std::string(text), std::move(forms)});
  };
  add("true", *answer_text);
  if (out.answers.empty()) {
    out.reason = reason::boundary;
    return out;
  }
  if (other && !other->empty()) add("new", *other);
  for (const auto& given : out.answers)
    for (const answer_form& form : given.forms)
      if (!has_rows(run_, form.ids)) out.reason = reason::no_row;
  if (!out.reason.empty()) return out;
  out.reads.emplace(out.ids, out.answers, tokens_);
  if (out.reads->longest() > run_.max_positions) out.reason = reason::too_long;
  return out;
}

void facts_study::plan(const record_view& record, const answers_view& answers,
                       const request_view& request) const {
  if (seed()) {
    const std::string_view answer_text = record.find("answer").value_or("");
    const seed_course course = seed_.follow(record.at("prompt"), answer_text, answers);
    if (!course.ask || answer_text.empty()) return;
    const prompt_ids prompt = encode_prompt(run_, tokenizer_, *course.ask);
    if (prompt.reason.empty())
      request.add_read(request.add_sequence(prompt.ids), prompt.ids.size() - 1, std::array{-1});
    return;
  }
  const attempt a = attempt_of(record, answers);
  if (a.reason.empty() && a.state.stage == prompt_state::ask) a.reads->request(request);
}

void facts_study::consume(const record_view& record, const answers_view& answers, std::uint32_t lens,
                          const sink_view& sink) const {
  if (seed()) return consume_seed(record, answers, lens, sink);
  const attempt a = attempt_of(record, answers);
  std::string_view why = a.reason;
  if (why.empty() && a.state.stage == prompt_state::dropped) why = reason::white_space;
  std::optional<std::int32_t> gold;
  if (!a.answers.empty()) {
    const bool read = a.state.stage == prompt_state::settled;
    const std::int32_t top = read ? answers.reading(a.state.round, 0, lens).final_top : -1;
    gold = choose_form(a.answers.front().forms, top)->ids.front();
  }
  const auto answer_text = record.find("answer");
  const std::array own = {answer_text ? text_value(*answer_text) : null_value()};
  append_prompt(sink, prompts_table_number, {record.index(), a.state.prompt, a.ids, gold, why}, "", own);
  if (!why.empty()) return;
  for (const fact_answer& one : a.answers) append_rows(a, one, record, answers, lens, sink);
}

void facts_study::left_out(const record_view& record, const sink_view& sink) const {
  const auto answer_text = record.find("answer");
  append_left_out(sink, prompts_table_number, record, "",
                  std::array{answer_text ? text_value(*answer_text) : null_value()});
}

void facts_study::append_rows(const attempt& a, const fact_answer& what, const record_view& record,
                              const answers_view& answers, std::uint32_t lens, const sink_view& sink) const {
  const answer_form& chosen = *choose_form(what.forms, answers.reading(a.state.round, 0, lens).final_top);
  const std::size_t n = std::min(chosen.ids.size(), tokens_);
  std::vector<const dlens_reading*> readings;
  std::vector<bool> correct;
  for (std::size_t j = 0; j < n; ++j) {
    readings.push_back(&answers.reading(a.state.round, a.reads->number(chosen.ids, j), lens));
    correct.push_back(readings.back()->final_top == chosen.ids[j]);
  }
  const bool all = std::find(correct.begin(), correct.end(), false) == correct.end();
  const auto flag = [](bool b) { return i64_value(b ? 1 : 0); };
  bool before = true;
  for (std::size_t j = 0; j < n; ++j) {
    const std::vector<dlens_value> own = {i64_value(static_cast<std::int64_t>(j)),
                                          i64_value(static_cast<std::int64_t>(chosen.ids.size())),
                                          text_value(chosen.form),
                                          flag(correct[0]),
                                          flag(before),
                                          flag(all),
                                          text_value(what.kind),
                                          text_value(what.text)};
    layer_row row(run_, tokenizer_, record.index(), a.ids.size() - 1 + j, *readings[j], chosen.ids[j]);
    row.append(sink, rows_table, [&](std::size_t) { return own; });
    before = before && correct[j];
  }
}

void facts_study::consume_seed(const record_view& record, const answers_view& answers, std::uint32_t lens,
                               const sink_view& sink) const {
  const auto answer_text = record.find("answer");
  const seed_course course = seed_.follow(record.at("prompt"), answer_text.value_or(""), answers);
  const prompt_ids prompt = encode_prompt(run_, tokenizer_, course.prompt);
  std::string_view why = answer_text.value_or("").empty() ? reason::no_answer : prompt.reason;
  if (why.empty() && course.dropped) why = reason::white_space;
  if (why.empty() && course.right.empty()) why = reason::wrong;
  const std::array own = {answer_text ? text_value(*answer_text) : null_value()};
  append_prompt(sink, prompts_table_number, {record.index(), course.prompt, prompt.ids, std::nullopt, why},
                "", own);
  for (const seed_token& token : course.right)
    append_seed_rows(course, token, record, answers.reading(token.round, 0, lens), sink);
}

void facts_study::append_seed_rows(const seed_course& course, const seed_token& token,
                                   const record_view& record, const dlens_reading& reading,
                                   const sink_view& sink) const {
  const std::size_t k = target_index(reading, reading.final_top);
  const std::string_view answer_text = record.at("answer");
  for (std::size_t i = 0; i < reading.n_layers; ++i) {
    if (reading.layers[i] == 0) continue;
    const std::string layer = seed_layer_name(reading.layers[i]);
    const std::array values = {
        text_value(layer),        i64_value(static_cast<std::int64_t>(record.index())),
        text_value(token.prompt), i64_value(reading.final_top),
        text_value(answer_text),  i64_value(reading.rank[k][i]),
        i64_value(token.number),  i64_value(static_cast<std::int64_t>(course.answer_len))};
    sink.append(rows_table, values);
  }
}

// Category of a curve: lengths 1, 2, 3, each with its positions.
std::size_t category_of(std::int64_t length, std::int64_t token) {
  return static_cast<std::size_t>(length * (length - 1) / 2 + token);
}

void facts_study::add_row(const dlens_row& row, depth_summary& summary) const {
  const dlens_value* v = row.values;
  if (!seed() && (v[answer_correct].as.i64 == 0 || to_view(v[answer_kind].as.text) != "true")) return;
  const std::size_t length_at = seed() ? 7 : std::size_t{answer_len},
                    token_at = seed() ? 6 : std::size_t{token_num};
  const std::int64_t length = v[length_at].as.i64, token = v[token_at].as.i64;
  if (length < 1 || length > longest_in_figures || token >= length) return;
  const std::array<std::uint64_t, 4> key = {row.dataset, row.record, row.table,
                                            static_cast<std::uint64_t>(token)};
  namespace c = layer_column;
  if (seed()) {
    summary.add(category_of(length, token), key, static_cast<std::uint64_t>(v[1].as.i64),
                seed_layer_number(to_view(v[0].as.text)),
                {static_cast<std::uint64_t>(v[5].as.i64), std::nullopt, std::nullopt, std::nullopt});
    return;
  }
  summary.add(category_of(length, token), key, static_cast<std::uint64_t>(v[c::prompt_id].as.i64),
              v[c::layer].as.i64,
              {static_cast<std::uint64_t>(v[c::rank].as.i64), std::exp(v[c::logprob].as.f64),
               v[c::entropy].as.f64, v[c::kl].as.f64});
}

void facts_study::finish(const rows_view& rows, std::uint32_t lens, const sink_view& sink) const {
  std::vector<depth_category> categories;
  for (std::int64_t length = 1; length <= longest_in_figures; ++length)
    for (std::int64_t token = 0; token < length; ++token)
      categories.push_back({cat(length, "-token (pos ", token + 1, ")"), {length, token + 1}});
  depth_summary summary(std::move(categories), seed() ? facts_k_grid() : default_k_grid(), run_.n_layers);
  while (const dlens_row* row = rows.next())
    if (row->table == rows_table) add_row(*row, summary);
  summary.write(sink, earliest_table, onsets_table, layers_table);
  // Each fact has its first token in the figures; in seed mode some have only later ones.
  std::uint64_t n = 0;
  for (std::int64_t length = 1; length <= longest_in_figures; ++length) {
    std::uint64_t most = 0;
    for (std::int64_t token = 0; token < length; ++token)
      most = std::max(most, summary.readings(category_of(length, token)));
    n += most;
  }
  for (std::uint32_t figure = 0; figure < description_->c()->n_figures; ++figure)
    sink.figure_prompts(figure, n);
  if (!seed() && lens == 0 && n == 0)
    warn(run_, "facts: none is in the figures and summary tables: they count true answers of up to ",
         longest_in_figures, " tokens that the model gives itself");
}

}  // namespace
}  // namespace depthlens::facts

DEPTHLENS_EXPERIMENT(depthlens::facts::facts_study, "experiment.facts", DEPTHLENS_VERSION,
                     "At which depth the first, second and third token of a fact become readable");
