// SPDX-License-Identifier: Apache-2.0
#include "engine/study_session.hpp"

#include "depthlens/base/abi_error.hpp"
#include "depthlens/base/text.hpp"
#include "engine/dataset_records.hpp"
#include "engine/record_job.hpp"
#include "model/blank_ends.hpp"
#include "plugins/description_check.hpp"
#include "terminal/log.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <new>
#include <set>
#include <string_view>

namespace depthlens {

namespace {

std::uint32_t flags_of(const run_context& context) {
  std::uint32_t flags = 0;
  if (context.published) flags |= DLENS_RUN_PUBLISHED;
  if (context.target_gold) flags |= DLENS_RUN_TARGET_GOLD;
  return flags;
}

// Runs call(), which calls the plugin: what that throws through its C interface is an error of it.
template <class Call>
auto guarded_call(Call&& call) {
  try {
    return call();
  } catch (const error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const abi::__forced_unwind&) {
    throw;
  } catch (const std::exception& e) {
    fail(status::internal, "it throws an exception: ", e.what());
  } catch (...) {
    fail(status::internal, "it throws an exception of unknown type");
  }
}

// What is asked of a record or of the user says so itself; all else needs to be told of whom it is.
bool speaks_for_itself(const error& e) {
  return e.code() != status::internal && std::string_view(e.what()) != "no reason was given";
}

}  // namespace

study_session::study_session(const run_context& context, study_plan& plan) : context_(context), plan_(plan) {
  for (const std::string& label : context.lens_labels) labels_.push_back(label.c_str());
  datasets_.reserve(plan.datasets.size());
  for (const dataset_plan& d : plan.datasets) {
    datasets_.push_back({.size = sizeof(dlens_dataset), .set = d.set.c_str(), .kind = d.kind.c_str()});
    dataset_pointers_.push_back(&datasets_.back());
  }
  run_ = {.size = sizeof run_,
          .n_layers = context.n_layers,
          .vocab_size = context.vocab_size,
          .max_positions = context.max_positions,
          .flags = flags_of(context),
          .d_model = context.d_model,
          .n_lenses = static_cast<std::uint32_t>(labels_.size()),
          .n_datasets = static_cast<std::uint32_t>(datasets_.size()),
          .name = context.name.c_str(),
          .lens_labels = labels_.data(),
          .datasets = dataset_pointers_.data(),
          .tokenizer = context.tokenizer,
          .host = context.host,
          .generate = context.generate,
          .reserved = 0};
  std::vector<dlens_pair> options;
  for (const auto& [key, value] : plan.options) options.push_back({to_text(key), to_text(value)});
  const plugin_call in_flight("experiment", word(), "study_create");
  try {
    guarded_call([&] {
      checked_call(plan.plugin.table->study_create, &run_, options.data(), options.size(), &study_);
    });
    if (study_ == nullptr || !DLENS_HAS(dlens_study, study_, get_extension) || study_->reserved != 0)
      fail(status::internal, "it gave no study, or one of another interface");
  } catch (const error& e) {
    blame(e, "study_create");
  }
}

study_session::~study_session() {
  const plugin_call in_flight("experiment", word(), "destroy");
  if (study_ != nullptr) study_->destroy(study_);
}

void study_session::blame(const error& e, const char* function, const dataset_plan& data,
                          std::uint64_t record) const {
  if (e.code() == status::data) fail(status::data, data.file.string(), ": record ", record, ": ", e.what());
  if (static_cast<dlens_status>(e.code()) == DLENS_CANCELLED && speaks_for_itself(e)) throw e;
  fail(e.code(), "experiment ", word(), ", ", function, ", record ", record, " of ", data.file.string(), ": ",
       e.what());
}

void study_session::blame(const error& e, const char* function) const {
  if (speaks_for_itself(e)) throw e;
  fail(e.code(), "experiment ", word(), ", ", function, ": ", e.what());
}

void study_session::survey() {
  for (std::uint32_t i = 0; i < plan_.datasets.size(); ++i) survey(plan_.datasets[i], i);
  const plugin_call in_flight("experiment", word(), "describe");
  try {
    guarded_call([&] { checked_call(study_->describe, study_, &description_); });
    check_description(description_);
    guarded_call([&] { take_figures(); });
  } catch (const error& e) {
    blame(e, "describe");
  }
  add_experts();
}

void study_session::take_figures() {
  if (study_->get_extension == nullptr) return;
  const auto* table =
      static_cast<const dlens_figures*>(study_->get_extension(study_, DLENS_FIGURES_INTERFACE));
  if (table == nullptr) return;
  if (!DLENS_HAS(dlens_figures, table, list)) fail(status::internal, "its table of figures is too small");
  const dlens_figure* const* all = nullptr;
  std::uint64_t n = 0;
  checked_call(table->list, study_, &all, &n);
  figures_.assign(all, all + n);
  check_figures(*description_, figures_, run_.n_lenses);
}

void study_session::add_experts() {
  tables_.assign(description_->tables, description_->tables + description_->n_tables);
  if (!context_.experts.empty()) {
    experts_ = std::make_unique<expert_tables>(context_.experts, word());
    const depthlens::description& more = experts_->about();
    for (const dlens_table* t : std::span(more.c()->tables, more.c()->n_tables)) {
      for (const dlens_table* own : tables_)
        if (std::string_view(own->id) == t->id)
          fail(status::usage, "--experts: experiment ", word(), " has a table ", t->id, " of its own");
      tables_.push_back(t);
    }
    figures_.insert(figures_.end(), more.figures().begin(), more.figures().end());
  }
  all_tables_ = {
      .size = sizeof all_tables_, .reserved = 0, .tables = tables_.data(), .n_tables = tables_.size()};
}

void study_session::finish(const dlens_rows* rows, std::uint32_t lens, const dlens_sink* sink) const {
  if (study_->finish == nullptr) return;
  const plugin_call in_flight("experiment", word(), "finish");
  try {
    guarded_call([&] { checked_call(study_->finish, study_, rows, lens, sink); });
  } catch (const error& e) {
    blame(e, "finish");
  }
}

void study_session::survey(dataset_plan& d, std::uint32_t number) {
  const auto reader = open_records(d, context_);
  d.records = d.blank_ends = 0;
  d.left_out.clear();
  std::uint64_t whole = 0;
  for (record r; reader->next(r); ++d.records) {
    if (!r.left_out.empty()) {
      ++d.left_out[r.left_out];
      continue;
    }
    ++whole;
    const std::string* const prompt = r.find("prompt");
    d.blank_ends += prompt != nullptr && d.records < limit_of(d) && ends_in_blank(*prompt);
    if (study_->survey == nullptr) continue;
    const record_abi view(r, number);
    about_record("survey", d, r.index,
                 [&] { guarded_call([&] { checked_call(study_->survey, study_, view.c()); }); });
  }
  if (whole == 0)
    fail(status::data, d.file.string(), ": holds no records for ", plan_.word,
         d.kind == "cut" ? "; prompts are cut from paragraphs of over 200 characters" : "");
}

bool study_session::plan_record(record_job& job) const {
  return about_record("plan", plan_.datasets[job.dataset()], job.data().index, [&] {
    return guarded_call([&] {
      return job.plan(*study_, {.vocab_size = context_.vocab_size,
                                .n_layers = context_.n_layers,
                                .d_model = context_.d_model,
                                .n_lenses = run_.n_lenses});
    });
  });
}

void study_session::consume_record(const record_job& job, const std::vector<lens_slot>& lenses,
                                   std::uint32_t lens, const dlens_sink& sink) const {
  about_record("consume", plan_.datasets[job.dataset()], job.data().index,
               [&] { guarded_call([&] { job.consume(*study_, lenses, lens, context_.n_layers, sink); }); });
}

std::vector<std::string> study_session::sets() const {
  std::vector<std::string> out;
  for (const dataset_plan& d : plan_.datasets) out.push_back(d.set);
  return out;
}

std::uint64_t study_session::records_wanted() const {
  std::uint64_t n = 0;
  for (const dataset_plan& d : plan_.datasets) n += std::min(d.records, limit_of(d));
  return n;
}

const dlens_table& study_session::check_row(std::uint32_t table, const dlens_value* values,
                                            std::uint64_t n) const {
  if (table >= description_->n_tables) fail(status::internal, "no table ", table);
  const dlens_table& t = *description_->tables[table];
  if (n != t.n_columns)
    fail(status::internal, "a row of ", n, " values for table ", t.id, " of ", t.n_columns);
  for (std::uint64_t i = 0; i < n; ++i) {
    const auto wrong = [&](const auto&... parts) {
      fail(status::internal, "table ", t.id, ", column ", t.columns[i]->id, ": ", parts...);
    };
    const dlens_value& v = values[i];
    if (v.type != DLENS_NULL && v.type != t.columns[i]->type)
      wrong("a value of type ", v.type, " instead of ", t.columns[i]->type);
    if (v.reserved != 0) wrong("a value with ", v.reserved, " in a reserved place, which must be 0");
    if (v.type == DLENS_TEXT && to_view(v.as.text).find('\0') != std::string_view::npos)
      wrong("a text with a NUL byte");
  }
  return t;
}

void tell_about_data(const std::vector<std::unique_ptr<study_session>>& sessions) {
  std::set<std::filesystem::path> told;
  for (const auto& session : sessions)
    for (const dataset_plan& d : session->plan().datasets) {
      if (!told.insert(d.file).second) continue;
      std::string reasons;
      std::uint64_t left_out = 0;
      for (const auto& [reason, n] : d.left_out) {
        reasons += cat(reasons.empty() ? "" : ", ", n, " ", reason);
        left_out += n;
      }
      if (left_out > 0)
        log_info(cat(d.file.string(), ": ", left_out, " of ", d.records, " records are left out (", reasons,
                     "); prompts_*.csv lists them behind the others"));
      if (d.blank_ends > 0 && !session->published())
        log_warning(cat(d.file.string(), ": ",
                        about_blank_ends(d.blank_ends, std::min(d.records, session->limit_of(d))),
                        ": take it off, the answer needs none"));
    }
}

}  // namespace depthlens
