// SPDX-License-Identifier: Apache-2.0
// For authors of experiments: the C++ face of abi/experiment.h. Derive from `study`, declare options and
// inputs, and write
//   DEPTHLENS_EXPERIMENT(my_study, "experiment.mine", "0.1.0", "one sentence", "MIT");
// where the last is your license as SPDX writes it. `depthlens new experiment` makes a project that has all
// of it in one file. Give a new version where code changes: rows of two versions do not mix.
#pragma once

#include "depthlens/abi/experiment.h"
#include "depthlens/abi/figures.h"
#include "depthlens/base/abi_error.hpp"
#include "depthlens/description.hpp"
#include "depthlens/plugin.hpp"
#include "depthlens/request_view.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace depthlens {

// ---- what the host hands over -----------------------------------------------------------------------------

class tokenizer_view {
 public:
  explicit tokenizer_view(const dlens_tokenizer* t) : t_(t) {}
  // Ids of a prompt: special tokens as the run's --bos says.
  std::vector<std::int32_t> encode_prompt(std::string_view text) const {
    return encode(text, DLENS_ENCODE_PROMPT);
  }
  // Ids of a text alone, nothing added.
  std::vector<std::int32_t> encode_text(std::string_view text) const {
    return encode(text, DLENS_ENCODE_TEXT);
  }
  // The special ids in front of every prompt.
  std::vector<std::int32_t> prefix() const {
    return all_ids(8, [&](std::int32_t* ids, std::uint64_t room, std::uint64_t* n) {
      checked_call(t_->prefix, t_, ids, room, n);
    });
  }
  // The text of a sequence of ids; may be invalid UTF-8.
  std::string decode(std::span<const std::int32_t> ids) const {
    std::string out(8 * ids.size() + 8, '\0');
    std::uint64_t n = 0;
    const auto fill = [&] {
      checked_call(t_->decode, t_, ids.data(), ids.size(), out.data(), out.size(), &n);
    };
    fill();
    if (n > out.size()) {
      out.resize(n);
      fill();
    }
    out.resize(n);
    return out;
  }
  // The bytes a token stands for inside a text; may be invalid UTF-8. Lives as long as the tokenizer.
  std::string_view bytes(std::int32_t id) const { return to_view(t_->bytes(t_, id)); }
  bool is_special(std::int32_t id) const { return t_->is_special(t_, id) != 0; }
  std::uint32_t size() const { return t_->vocabulary; }

 private:
  std::vector<std::int32_t> encode(std::string_view text, std::uint32_t mode) const {
    return all_ids(text.size() + 8, [&](std::int32_t* ids, std::uint64_t room, std::uint64_t* n) {
      checked_call(t_->encode, t_, to_text(text), mode, ids, room, n);
    });
  }
  // fill(ids, room, &n) tells how many there are; it is asked again where there was too little room.
  template <class Fill>
  static std::vector<std::int32_t> all_ids(std::size_t room, const Fill& fill) {
    std::vector<std::int32_t> ids(room);
    std::uint64_t n = 0;
    fill(ids.data(), ids.size(), &n);
    if (n > ids.size()) {
      ids.resize(n);
      fill(ids.data(), ids.size(), &n);
    }
    ids.resize(n);
    return ids;
  }
  const dlens_tokenizer* t_;
};

class record_view {
 public:
  explicit record_view(const dlens_record* r) : r_(r) {}
  std::uint32_t dataset() const { return r_->dataset; }
  std::uint64_t index() const { return r_->index; }  // see dlens_record
  std::optional<std::string_view> find(std::string_view key) const {
    for (const dlens_pair& f : std::span(r_->fields, r_->n_fields))
      if (to_view(f.key) == key) return to_view(f.value);
    return std::nullopt;
  }
  std::string_view at(std::string_view key) const {
    if (auto v = find(key)) return *v;
    fail(status::data, "record ", index(), " has no field \"", key, '"');
  }
  std::span<const dlens_word> words() const { return {r_->words, r_->n_words}; }
  // The texts that a multiple choice row can be answered with; none where it does not say.
  std::span<const dlens_text> options() const { return {r_->options, r_->n_options}; }
  // Why the input makes no whole record; empty = it is whole.
  std::string_view left_out() const { return to_view(r_->left_out); }

 private:
  const dlens_record* r_;
};

// What plan may go by.
class tops_view {
 public:
  explicit tops_view(const dlens_tops* t) : t_(t) {}
  std::uint32_t rounds() const { return t_->n_rounds; }
  // The model's own top-1 there.
  std::int32_t final_top(std::uint32_t round, std::uint32_t read) const {
    const std::int32_t id = t_->final_top(t_, round, read);
    if (id < 0) fail(status::internal, "round ", round, " has no read ", read);
    return id;
  }
  // The tokens of a generation; see dlens_tops for those that a lens says.
  std::span<const std::int32_t> generated(std::uint32_t round, std::uint32_t number) const {
    if (!DLENS_HAS(dlens_tops, t_, generated)) fail(status::unavailable, "this host generates no text");
    const std::int32_t* ids = nullptr;
    std::uint64_t n = 0;
    checked_call(t_->generated, t_, round, number, &ids, &n);
    return {ids, n};
  }

 private:
  const dlens_tops* t_;
};

// What consume gets, of one lens.
class answers_view : public tops_view {
 public:
  explicit answers_view(const dlens_answers* a) : tops_view(a->tops), a_(a) {}
  // Valid during the call of consume.
  const dlens_reading& reading(std::uint32_t round, std::uint32_t read) const {
    const dlens_reading* r = nullptr;
    checked_call(a_->reading, a_, round, read, &r);
    return *r;
  }

 private:
  const dlens_answers* a_;
};

// What a read asked for besides, at row i of its lens's layers or layer l of the model; errors where it did
// not.
inline std::span<const std::int32_t> top_of(const dlens_reading& r, std::uint32_t i) {
  if (r.top == nullptr) fail(status::internal, "likeliest tokens were not asked for: n_top of add_read is 0");
  return {r.top[i], r.n_top};
}
inline std::span<const float> top_logprob_of(const dlens_reading& r, std::uint32_t i) {
  if (r.top_logprob == nullptr)
    fail(status::internal, "likeliest tokens were not asked for: n_top of add_read is 0");
  return {r.top_logprob[i], r.n_top};
}
inline const float* hidden_of(const dlens_reading& r, std::uint32_t l) {
  if (r.hidden == nullptr)
    fail(status::internal, "hidden states were not asked for: add_read without DLENS_READ_HIDDEN");
  return r.hidden[l];
}

inline dlens_value null_value() { return {DLENS_NULL, 0, {.i64 = 0}}; }
inline dlens_value i64_value(std::int64_t v) { return {DLENS_I64, 0, {.i64 = v}}; }
inline dlens_value f64_value(double v) { return {DLENS_F64, 0, {.f64 = v}}; }
inline dlens_value f32_value(float v) { return {DLENS_F32, 0, {.f64 = v}}; }
inline dlens_value text_value(std::string_view v) {
  dlens_value out{DLENS_TEXT, 0, {.i64 = 0}};
  out.as.text = to_text(v);
  return out;
}

class sink_view {
 public:
  explicit sink_view(const dlens_sink* s) : s_(s) {}
  void append(std::uint32_t table, std::span<const dlens_value> values) const {
    checked_call(s_->append, s_, table, values.data(), values.size());
  }
  // reason "" = kept
  void count(std::string_view set, std::string_view reason, std::uint64_t n = 1) const {
    checked_call(s_->count, s_, to_text(set), to_text(reason), n);
  }
  void figure_prompts(std::uint32_t figure, std::uint64_t n) const {
    checked_call(s_->figure_prompts, s_, figure, n);
  }

 private:
  const dlens_sink* s_;
};

class rows_view {
 public:
  explicit rows_view(const dlens_rows* r) : r_(r) {}
  // nullptr at the end; valid until the next call
  const dlens_row* next() const {
    const dlens_row* row = nullptr;
    checked_call(r_->next, r_, &row);
    return row;
  }
  void rewind() const { checked_call(r_->rewind, r_); }  // the next row is the first again
  std::uint64_t most_records() const { return r_->n_records; }

 private:
  const dlens_rows* r_;
};

// A warning for the user, one line on stderr. Begin it with the experiment's word. Only in functions that are
// called once in a run: the constructor, describe, finish of lens 0.
template <class... Parts>
void warn(const dlens_run& run, const Parts&... parts) {
  const std::string message = cat(parts...);
  if (run.host != nullptr && run.host->log != nullptr)
    run.host->log(run.host, DLENS_LOG_WARNING, to_text(message));
}

inline bool is_published(const dlens_run& run) { return (run.flags & DLENS_RUN_PUBLISHED) != 0; }
// How many tokens are said behind each prompt, and read; 0 = none.
inline std::uint32_t generated_tokens(const dlens_run& run) {
  return DLENS_HAS(dlens_run, &run, generate) ? run.generate : 0;
}
inline bool targets_gold(const dlens_run& run) { return (run.flags & DLENS_RUN_TARGET_GOLD) != 0; }

// ---- what an author writes --------------------------------------------------------------------------------

// The options of a study, by id; every declared option is there, an absent FILE is not.
class option_values {
 public:
  option_values(const dlens_pair* pairs, std::uint64_t n) {
    for (const dlens_pair& p : std::span(pairs, n)) values_.emplace_back(to_view(p.key), to_view(p.value));
  }
  std::optional<std::string> find(std::string_view id) const {
    for (const auto& [key, value] : values_)
      if (key == id) return value;
    return std::nullopt;
  }
  // Of an option that may be repeated, in the order in which they were given.
  std::vector<std::string> all(std::string_view id) const {
    std::vector<std::string> out;
    for (const auto& [key, value] : values_)
      if (key == id) out.push_back(value);
    return out;
  }
  std::string at(std::string_view id) const {
    if (auto v = find(id)) return *v;
    fail(status::internal, "option \"", id, "\" was not passed on");
  }
  bool flag(std::string_view id) const { return at(id) == "true"; }

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

// Derived classes have a constructor (const dlens_run&, const option_values&) and static functions
//   std::span<const dlens_option> options();   std::span<const dlens_input> inputs();
// and, where it reads the texts that --generate asks for, static constexpr bool reads_generated = true.
// plan, consume, left_out are called from several threads at once and may depend on their arguments,
// and on what the constructor and the survey left, only.
class study {
 public:
  virtual ~study() = default;
  virtual void survey(const record_view&) {}
  virtual const description& describe() = 0;
  virtual void plan(const record_view&, const tops_view&, const request_view&) const = 0;
  virtual void consume(const record_view&, const answers_view&, std::uint32_t lens,
                       const sink_view&) const = 0;
  // For a record that is left out, instead of plan and consume: lists it in a table of prompts, and counts
  // it.
  virtual void left_out(const record_view& record, const sink_view& sink) const {
    sink.count("", record.left_out());
  }
  virtual void finish(const rows_view&, std::uint32_t /*lens*/, const sink_view&) const {}
};

namespace detail {

inline study& study_of(const dlens_study* s) { return *static_cast<study*>(s->self); }

inline dlens_status list_figures(const dlens_study* s, const dlens_figure* const** figures, std::uint64_t* n,
                                 dlens_error* e) noexcept {
  return guarded(e, [&] {
    const std::vector<const dlens_figure*>& all = study_of(s).describe().figures();
    *figures = all.data();
    *n = all.size();
  });
}

inline const void* study_extension(const dlens_study*, const char* id) noexcept {
  static constexpr dlens_figures figures{sizeof(dlens_figures), 0, list_figures};
  return std::string_view(id) == DLENS_FIGURES_INTERFACE ? &figures : nullptr;
}

template <class Study>
dlens_status create_study(const dlens_run* run, const dlens_pair* options, std::uint64_t n, dlens_study** out,
                          dlens_error* e) noexcept {
  return guarded(e, [&] {
    auto table = std::make_unique<dlens_study>();
    table->size = sizeof(dlens_study);
    table->self = static_cast<study*>(new Study(*run, option_values(options, n)));
    table->survey = [](const dlens_study* s, const dlens_record* r, dlens_error* err) noexcept {
      return guarded(err, [&] { study_of(s).survey(record_view(r)); });
    };
    table->describe = [](const dlens_study* s, const dlens_description** d, dlens_error* err) noexcept {
      return guarded(err, [&] { *d = study_of(s).describe().c(); });
    };
    table->plan = [](const dlens_study* s, const dlens_record* r, const dlens_tops* t, const dlens_request* q,
                     dlens_error* err) noexcept {
      return guarded(err, [&] {
        const record_view record(r);
        if (record.left_out().empty()) study_of(s).plan(record, tops_view(t), request_view(q));
      });
    };
    table->consume = [](const dlens_study* s, const dlens_record* r, const dlens_answers* a,
                        std::uint32_t lens, const dlens_sink* k, dlens_error* err) noexcept {
      return guarded(err, [&] {
        const record_view record(r);
        if (!record.left_out().empty()) return study_of(s).left_out(record, sink_view(k));
        study_of(s).consume(record, answers_view(a), lens, sink_view(k));
      });
    };
    table->finish = [](const dlens_study* s, const dlens_rows* r, std::uint32_t lens, const dlens_sink* k,
                       dlens_error* err) noexcept {
      return guarded(err, [&] { study_of(s).finish(rows_view(r), lens, sink_view(k)); });
    };
    table->destroy = [](dlens_study* s) noexcept {
      delete &study_of(s);
      delete s;
    };
    table->get_extension = study_extension;
    *out = table.release();
  });
}

template <class Study>
const dlens_experiment* experiment_table() {
  static const std::vector<const dlens_option*> options = [] {
    std::vector<const dlens_option*> v;
    for (const dlens_option& o : Study::options()) v.push_back(&o);
    return v;
  }();
  static const std::vector<const dlens_input*> inputs = [] {
    std::vector<const dlens_input*> v;
    for (const dlens_input& i : Study::inputs()) v.push_back(&i);
    return v;
  }();
  constexpr bool generates = requires { requires Study::reads_generated; };
  static const dlens_experiment e = {.size = sizeof e,
                                     .reserved = 0,
                                     .options = options.data(),
                                     .n_options = options.size(),
                                     .inputs = inputs.data(),
                                     .n_inputs = inputs.size(),
                                     .study_create = create_study<Study>,
                                     .flags = generates ? std::uint32_t{DLENS_EXPERIMENT_GENERATES} : 0,
                                     .reserved2 = 0};
  return &e;
}

}  // namespace detail
}  // namespace depthlens

#define DEPTHLENS_EXPERIMENT(STUDY, ID, VERSION, SUMMARY, LICENSE)            \
  DEPTHLENS_PLUGIN(ID, VERSION, SUMMARY, LICENSE, DLENS_EXPERIMENT_INTERFACE, \
                   ::depthlens::detail::experiment_table<STUDY>(), nullptr)
