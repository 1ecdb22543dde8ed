// SPDX-License-Identifier: Apache-2.0
// A host in memory for tests of experiments: a scripted model, and a run that drives a study through
// its C table (survey, plan, runs, consume, finish) and keeps the rows as text. The real host is core/host.
// A test includes the experiment's source under another entry name, so that many fit into one program:
//   #define dlens_entry_v1 pos_entry
//   #include "../../experiments/pos/pos.cpp"
//   #undef dlens_entry_v1
//   depthlens::test::fake_host host(pos_entry());
#pragma once

#include "depthlens/abi/plugin.h"
#include "depthlens/data/record.hpp"
#include "depthlens/experiment.hpp"
#include "fake_rows.hpp"
#include "toy_tokenizer.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace depthlens::test {

// What the model says: the final top-1 piece after a text ("~" where the script has none), and the rank of an
// id after a text at a layer. Unless a test sets `rank`: the top-1 has rank 1 + n - layer, other ids have
// 100.
struct scripted_model {
  std::map<std::string, std::string> top;
  std::function<std::uint32_t(const std::string& text, std::int32_t id, std::uint32_t layer)> rank;
};

class fake_host {
 public:
  explicit fake_host(const dlens_plugin* plugin, bool bos = false)
      : tokenizer(bos),
        experiment_(
            *static_cast<const dlens_experiment*>(plugin->get_interface(DLENS_EXPERIMENT_INTERFACE))) {}
  ~fake_host() {
    if (study_ != nullptr) study_->destroy(study_);
  }
  fake_host(const fake_host&) = delete;
  fake_host& operator=(const fake_host&) = delete;

  // ---- set before run() ----
  toy_tokenizer tokenizer;
  scripted_model model;
  std::uint32_t n_layers = 2, max_positions = 64, published = 0, target_gold = 0;
  std::vector<std::string> lenses = {"logit"};
  std::map<std::string, std::string> options;  // what differs from the declared defaults

  // Adds a data set; its records get their index here.
  void add(std::string set, std::string kind, std::vector<record> records) {
    for (std::size_t i = 0; i < records.size(); ++i) records[i].index = i, records[i].kind = kind;
    sets_.push_back({std::move(set), std::move(kind), std::move(records)});
  }

  // ---- after run() ----
  // Rows of a table as text, fields divided by '|'; a null is "", a float has up to 6 digits.
  std::vector<std::string> rows(std::string_view table, std::uint32_t lens = 0) const {
    const auto at = rows_.find({number(table), lens});
    return at == rows_.end() ? std::vector<std::string>() : at->second;
  }
  // One column of a table, by its id.
  std::vector<std::string> column(std::string_view table, std::string_view id, std::uint32_t lens = 0) const;
  // Rows with these columns alone, by their ids.
  std::vector<std::string> parts(std::string_view table, const std::vector<const char*>& ids) const {
    std::vector<std::string> out(rows(table).size());
    for (const char* const id : ids)
      for (std::size_t i = 0; i < out.size(); ++i)
        out[i] += (id == ids.front() ? "" : "|") + column(table, id)[i];
    return out;
  }
  std::string file(std::string_view table) const { return description_->tables[number(table)]->file; }
  std::vector<std::string> columns(std::string_view table) const {
    std::vector<std::string> out;
    const dlens_table& t = *description_->tables[number(table)];
    for (std::uint64_t i = 0; i < t.n_columns; ++i) out.emplace_back(t.columns[i]->id);
    return out;
  }
  const dlens_description& description() const { return *description_; }
  std::span<const dlens_figure* const> figures() const {
    const auto* table =
        static_cast<const dlens_figures*>(study_->get_extension(study_, DLENS_FIGURES_INTERFACE));
    const dlens_figure* const* all = nullptr;
    std::uint64_t n = 0;
    checked_call(table->list, study_, &all, &n);
    return {all, n};
  }
  std::map<std::string, std::uint64_t> counts;          // "set: reason" -> n
  std::map<std::string, std::uint64_t> figure_prompts;  // figure file -> n, of the last lens
  std::vector<std::string> asked;                       // decoded sequences, in order
  std::vector<std::string> warnings;

  void run() {
    heard() = &warnings;
    create();
    for (const data_set& set : sets_)
      for (const record& r : set.records)
        if (r.left_out.empty() && study_->survey != nullptr)
          checked_call(study_->survey, study_, &c_record(set, r));
    checked_call(study_->describe, study_, &description_);
    for (const data_set& set : sets_)
      for (const record& r : set.records) run_record(set, r);
    for (std::uint32_t lens = 0; lens < lenses.size(); ++lens) finish(lens);
  }

 private:
  // Where the log of the host goes, which has no object of its own.
  static std::vector<std::string>*& heard() {
    static std::vector<std::string>* lines = nullptr;
    return lines;
  }
  static constexpr dlens_host host_{.size = sizeof(dlens_host),
                                    .name = "test",
                                    .log = [](const dlens_host*, std::int32_t level, dlens_text line) {
                                      if (level == DLENS_LOG_WARNING) heard()->emplace_back(to_view(line));
                                    }};

  struct data_set {
    std::string set, kind;
    std::vector<record> records;
  };
  // A reading with the arrays behind it.
  struct reading_data {
    std::vector<std::int32_t> layers, targets, guess;
    std::vector<std::vector<std::uint32_t>> rank, ties;
    std::vector<std::vector<float>> logprob;
    std::vector<float> entropy, kl;
    std::vector<const std::uint32_t*> rank_p, ties_p;
    std::vector<const float*> logprob_p;
    dlens_reading c{};
  };
  struct read {
    std::uint32_t sequence;
    std::uint64_t position;
    std::vector<std::int32_t> targets;
  };
  struct round {
    std::vector<std::vector<std::int32_t>> sequences;
    std::vector<read> reads;
    std::vector<std::unique_ptr<reading_data>> readings;
  };

  void create();
  const dlens_record& c_record(const data_set&, const record&);
  void run_record(const data_set&, const record&);
  std::unique_ptr<reading_data> answer(const round&, const read&);
  void finish(std::uint32_t lens);
  dlens_tops c_tops() const;
  dlens_sink c_sink(bool keep_for_finish);
  void append(std::uint32_t table, const dlens_value* values, std::uint64_t n, bool keep);
  std::uint32_t number(std::string_view table) const {
    for (std::uint32_t i = 0; i < description_->n_tables; ++i)
      if (description_->tables[i]->id == table) return i;
    fail(status::internal, "no table ", table);
  }

  const dlens_experiment& experiment_;
  dlens_study* study_ = nullptr;
  const dlens_description* description_ = nullptr;
  std::vector<data_set> sets_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<std::string>> rows_;
  std::deque<std::string> texts_;             // of the rows in the log
  std::vector<std::vector<stored_row>> log_;  // for each lens
  std::uint32_t lens_ = 0;                    // of the consume or finish that runs
  std::vector<round> rounds_;                 // of the record that runs
  // C views
  dlens_run run_{};
  std::vector<const char*> labels_;
  std::deque<dlens_dataset> c_sets_;
  std::vector<const dlens_dataset*> c_set_pointers_;
  std::vector<dlens_pair> fields_;
  std::vector<dlens_word> words_;
  std::vector<dlens_text> options_;
  dlens_record record_{};
};

inline void fake_host::create() {
  for (const std::string& label : lenses) labels_.push_back(label.c_str());
  for (const data_set& set : sets_)
    c_set_pointers_.push_back(
        &c_sets_.emplace_back(dlens_dataset{sizeof(dlens_dataset), 0, set.set.c_str(), set.kind.c_str()}));
  run_ = {.size = sizeof run_,
          .n_layers = n_layers,
          .vocab_size = 1000,
          .max_positions = max_positions,
          .flags = published * DLENS_RUN_PUBLISHED + target_gold * DLENS_RUN_TARGET_GOLD,
          .n_lenses = static_cast<std::uint32_t>(lenses.size()),
          .n_datasets = static_cast<std::uint32_t>(sets_.size()),
          .name = "toy",
          .lens_labels = labels_.data(),
          .datasets = c_set_pointers_.data(),
          .tokenizer = tokenizer.c(),
          .host = &host_};
  log_.resize(lenses.size());
  std::vector<dlens_pair> pairs;
  for (std::uint64_t i = 0; i < experiment_.n_options; ++i) {
    const dlens_option& o = *experiment_.options[i];
    const auto given = options.find(o.id);
    if (given == options.end() && o.fallback == nullptr) continue;
    pairs.push_back(
        {to_text(o.id), to_text(given != options.end() ? std::string_view(given->second) : o.fallback)});
  }
  checked_call(experiment_.study_create, &run_, pairs.data(), pairs.size(), &study_);
}

inline const dlens_record& fake_host::c_record(const data_set& set, const record& r) {
  fields_.clear();
  words_.clear();
  for (const auto& [key, value] : r.fields) fields_.push_back({to_text(key), to_text(value)});
  for (const tagged_word& w : r.words)
    words_.push_back({w.begin, w.end, to_text(w.tag), static_cast<std::uint64_t>(w.in_multiword_tail)});
  options_.clear();
  for (const std::string& option : r.options) options_.push_back(to_text(option));
  record_ = {.size = sizeof record_,
             .dataset = static_cast<std::uint32_t>(&set - sets_.data()),
             .index = r.index,
             .fields = fields_.data(),
             .n_fields = fields_.size(),
             .words = words_.data(),
             .n_words = words_.size(),
             .options = options_.data(),
             .n_options = options_.size(),
             .left_out = to_text(r.left_out)};
  return record_;
}

inline dlens_tops fake_host::c_tops() const {
  return {sizeof(dlens_tops), static_cast<std::uint32_t>(rounds_.size()), this,
          [](const dlens_tops* t, std::uint32_t at, std::uint32_t read) -> std::int32_t {
            const auto& rounds = static_cast<const fake_host*>(t->self)->rounds_;
            const bool asked = at < rounds.size() && read < rounds[at].readings.size();
            return asked ? rounds[at].readings[read]->c.final_top : -1;
          }};
}

inline std::unique_ptr<fake_host::reading_data> fake_host::answer(const round& r, const read& at) {
  const std::vector<std::int32_t>& ids = r.sequences[at.sequence];
  const std::string text =
      tokenizer.decode({ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(at.position) + 1});
  const auto found = model.top.find(text);
  const std::int32_t top = tokenizer.id(found == model.top.end() ? std::string_view("~") : found->second);
  auto d = std::make_unique<reading_data>();
  const auto rank_of = [&](std::int32_t id, std::uint32_t layer) -> std::uint32_t {
    if (model.rank) return model.rank(text, id, layer);
    return id == top ? 1 + n_layers - layer : 100;
  };
  for (std::uint32_t l = 0; l <= n_layers; ++l) {
    d->layers.push_back(static_cast<std::int32_t>(l));
    d->guess.push_back(rank_of(top, l) == 1 ? top : tokenizer.id("~"));
    d->entropy.push_back(0.5F * static_cast<float>(l));
    d->kl.push_back(static_cast<float>(n_layers - l));
  }
  for (const std::int32_t asked_id : at.targets) {
    d->targets.push_back(asked_id < 0 ? top : asked_id);
    auto &rank = d->rank.emplace_back(), &ties = d->ties.emplace_back();
    auto& logprob = d->logprob.emplace_back();
    for (std::uint32_t l = 0; l <= n_layers; ++l) {
      rank.push_back(rank_of(d->targets.back(), l));
      ties.push_back(0);
      logprob.push_back(-0.25F * static_cast<float>(rank.back()));
    }
  }
  for (std::size_t k = 0; k < d->targets.size(); ++k) {
    d->rank_p.push_back(d->rank[k].data());
    d->ties_p.push_back(d->ties[k].data());
    d->logprob_p.push_back(d->logprob[k].data());
  }
  d->c = {.size = sizeof d->c,
          .n_layers = static_cast<std::uint32_t>(d->layers.size()),
          .n_targets = static_cast<std::uint32_t>(d->targets.size()),
          .final_top = top,
          .layers = d->layers.data(),
          .targets = d->targets.data(),
          .rank = d->rank_p.data(),
          .ties = d->ties_p.data(),
          .logprob = d->logprob_p.data(),
          .entropy = d->entropy.data(),
          .kl = d->kl.data(),
          .guess = d->guess.data()};
  return d;
}

inline void fake_host::run_record(const data_set& set, const record& r) {
  rounds_.clear();
  const dlens_record& c = c_record(set, r);
  while (r.left_out.empty()) {
    round next;
    dlens_request request{.size = sizeof request, .self = &next};
    request.add_sequence = [](const dlens_request* q, const std::int32_t* ids, std::uint64_t n,
                              std::uint32_t* sequence, dlens_error*) -> dlens_status {
      auto& sequences = static_cast<round*>(q->self)->sequences;
      *sequence = static_cast<std::uint32_t>(sequences.size());
      sequences.emplace_back(ids, ids + n);
      return DLENS_OK;
    };
    request.add_read = [](const dlens_request* q, const dlens_read* r, std::uint32_t* number,
                          dlens_error* e) -> dlens_status {
      auto& to = *static_cast<round*>(q->self);
      return guarded(e, [&] {
        if (r->sequence >= to.sequences.size() || r->position >= to.sequences[r->sequence].size())
          fail(status::internal, "a read outside of its sequence");
        *number = static_cast<std::uint32_t>(to.reads.size());
        to.reads.push_back({r->sequence, r->position, {r->targets, r->targets + r->n_targets}});
      });
    };
    const dlens_tops tops = c_tops();
    checked_call(study_->plan, study_, &c, &tops, &request);
    if (next.sequences.empty()) break;
    for (const auto& ids : next.sequences) asked.push_back(tokenizer.decode(ids));
    for (const read& at : next.reads) next.readings.push_back(answer(next, at));
    rounds_.push_back(std::move(next));
    if (rounds_.size() > 16) fail(status::internal, "the study never stops asking");
  }
  const dlens_tops tops = c_tops();
  const dlens_answers answers{sizeof answers, 0, &tops, this,
                              [](const dlens_answers* a, std::uint32_t at, std::uint32_t read,
                                 const dlens_reading** out, dlens_error*) -> dlens_status {
                                const auto& rounds = static_cast<const fake_host*>(a->self)->rounds_;
                                if (at >= rounds.size() || read >= rounds[at].readings.size())
                                  return DLENS_USAGE;
                                *out = &rounds[at].readings[read]->c;
                                return DLENS_OK;
                              }};
  const dlens_sink sink = c_sink(true);
  for (lens_ = 0; lens_ < lenses.size(); ++lens_)
    checked_call(study_->consume, study_, &c, &answers, lens_, &sink);
}

inline dlens_sink fake_host::c_sink(bool in_consume) {
  dlens_sink sink{.size = sizeof sink, .reserved = in_consume ? 1U : 0U, .self = this};
  sink.append = [](const dlens_sink* s, std::uint32_t table, const dlens_value* values, std::uint64_t n,
                   dlens_error* e) -> dlens_status {
    return guarded(e, [&] { static_cast<fake_host*>(s->self)->append(table, values, n, s->reserved == 1); });
  };
  sink.count = [](const dlens_sink* s, dlens_text set, dlens_text why, std::uint64_t n,
                  dlens_error*) -> dlens_status {
    fake_host& host = *static_cast<fake_host*>(s->self);
    if (host.lens_ == 0) host.counts[cat(to_view(set), ": ", why.size == 0 ? "kept" : to_view(why))] += n;
    return DLENS_OK;
  };
  sink.figure_prompts = [](const dlens_sink* s, std::uint32_t figure, std::uint64_t n,
                           dlens_error*) -> dlens_status {
    fake_host& host = *static_cast<fake_host*>(s->self);
    host.figure_prompts[host.figures()[figure]->file] = n;
    return DLENS_OK;
  };
  return sink;
}

inline void fake_host::append(std::uint32_t table, const dlens_value* values, std::uint64_t n,
                              bool in_consume) {
  if (table >= description_->n_tables) fail(status::internal, "no table ", table);
  const dlens_table& t = *description_->tables[table];
  if (n != t.n_columns) fail(status::internal, t.id, ": ", n, " values for ", t.n_columns, " columns");
  if (((t.flags & DLENS_TABLE_SUMMARY) == 0) != in_consume) fail(status::internal, t.id, ": wrong place");
  stored_row stored{table, record_.dataset, record_.index, {values, values + n}};
  std::string line;
  for (std::uint64_t i = 0; i < n; ++i) {
    dlens_value& v = stored.values[i];
    if (v.type != DLENS_NULL && v.type != t.columns[i]->type)
      fail(status::internal, t.id, ".", t.columns[i]->id, ": type ", v.type, ", declared ",
           t.columns[i]->type);
    if (v.type == DLENS_TEXT) v.as.text = to_text(texts_.emplace_back(to_view(v.as.text)));
    if (i > 0) line += '|';
    if (v.type == DLENS_I64) line += std::to_string(v.as.i64);
    if (v.type == DLENS_F32 || v.type == DLENS_F64) line += cat(v.as.f64);
    if (v.type == DLENS_TEXT) line += to_view(v.as.text);
  }
  rows_[{table, lens_}].push_back(line);
  if (in_consume) log_[lens_].push_back(std::move(stored));
}

inline void fake_host::finish(std::uint32_t lens) {
  lens_ = lens;
  if (study_->finish == nullptr) return;
  const fake_rows rows(log_[lens]);
  const dlens_sink sink = c_sink(false);
  checked_call(study_->finish, study_, rows.c(), lens, &sink);
}

inline std::vector<std::string> fake_host::column(std::string_view table, std::string_view id,
                                                  std::uint32_t lens) const {
  const std::vector<std::string> ids = columns(table);
  const auto place = std::find(ids.begin(), ids.end(), id) - ids.begin();
  if (static_cast<std::size_t>(place) == ids.size()) fail(status::internal, "no column ", id);
  std::vector<std::string> out;
  for (const std::string& row : rows(table, lens)) {
    std::size_t at = 0;
    for (std::ptrdiff_t i = 0; i < place; ++i) at = row.find('|', at) + 1;
    out.push_back(row.substr(at, row.find('|', at) - at));
  }
  return out;
}

}  // namespace depthlens::test
