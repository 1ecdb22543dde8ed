// SPDX-License-Identifier: Apache-2.0
#include "engine/study_session.hpp"

#include "depthlens/abi_error.hpp"
#include "engine/record_job.hpp"
#include "terminal/log.hpp"

#include <algorithm>
#include <set>

namespace depthlens {
namespace {

// A description is used without further checks, so what a plugin got wrong is said here.
void check_description(const dlens_description& d, const std::string& word) {
  const auto wrong = [&](const auto&... parts) {
    fail(status::internal, "experiment ", word, ": ", parts...);
  };
  for (std::uint64_t i = 0; i < d.n_tables; ++i) {
    const dlens_table& t = *d.tables[i];
    if (t.size < sizeof(dlens_table) || t.id == nullptr || t.file == nullptr)
      wrong("table ", i, " is incomplete");
    if (std::string_view(t.file).find('/') != std::string_view::npos)
      wrong("table ", t.id, ": a file name with '/'");
    for (std::uint64_t c = 0; c < t.n_columns; ++c)
      if (t.columns[c]->id == nullptr) wrong("table ", t.id, ": column ", c, " has no name");
  }
  for (std::uint64_t i = 0; i < d.n_figures; ++i) {
    const dlens_figure& f = *d.figures[i];
    if (f.size < sizeof(dlens_figure) || f.id == nullptr || f.file == nullptr || f.table == nullptr)
      wrong("figure ", i, " is incomplete");
    const bool known = std::any_of(d.tables, d.tables + d.n_tables,
                                   [&](const dlens_table* t) { return std::string_view(t->id) == f.table; });
    if (!known) wrong("figure ", f.id, " draws a table \"", f.table, "\" that is not declared");
  }
}

}  // namespace

study_session::study_session(const run_context& context, study_plan& plan) : context_(context), plan_(plan) {
  for (const std::string& label : context.lens_labels) labels_.push_back(label.c_str());
  datasets_.reserve(plan.datasets.size());
  for (const dataset_plan& d : plan.datasets) {
    datasets_.push_back({sizeof(dlens_dataset), 0, d.set.c_str(), d.kind.c_str()});
    dataset_pointers_.push_back(&datasets_.back());
  }
  run_ = {sizeof run_,
          context.n_layers,
          context.vocab_size,
          context.max_positions,
          context.seed_compat ? 1u : 0u,
          context.target_gold ? 1u : 0u,
          static_cast<std::uint32_t>(labels_.size()),
          static_cast<std::uint32_t>(datasets_.size()),
          context.name.c_str(),
          labels_.data(),
          dataset_pointers_.data(),
          context.tokenizer,
          context.host};
  std::vector<dlens_pair> options;
  for (const auto& [key, value] : plan.options) options.push_back({to_text(key), to_text(value)});
  checked_call(plan.plugin.table->study_create, &run_, options.data(), options.size(), &study_);
}

study_session::~study_session() {
  if (study_ != nullptr) study_->destroy(study_);
}

void study_session::survey() {
  for (std::uint32_t i = 0; i < plan_.datasets.size(); ++i) survey(plan_.datasets[i], i);
  checked_call(study_->describe, study_, &description_);
  check_description(*description_, plan_.word);
}

void study_session::survey(dataset_plan& d, std::uint32_t number) {
  const auto reader = open_records(d.file, d.format, d.kind, d.cuts);
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
    const record_abi view(r, number);
    try {
      if (study_->survey != nullptr) checked_call(study_->survey, study_, view.c());
    } catch (const error& e) {
      fail(e.code(), d.file.string(), ": record ", r.index, ": ", e.what());
    }
  }
  if (whole == 0)
    fail(status::data, d.file.string(), ": holds no records for ", plan_.word,
         d.kind == "cut" ? "; prompts are cut from paragraphs of over 200 characters" : "");
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
  if (table >= description_->n_tables) fail(status::internal, "experiment ", word(), ": no table ", table);
  const dlens_table& t = *description_->tables[table];
  if (n != t.n_columns)
    fail(status::internal, "experiment ", word(), ": a row of ", n, " values for table ", t.id, " of ",
         t.n_columns);
  for (std::uint64_t i = 0; i < n; ++i)
    if (values[i].type != DLENS_NULL && values[i].type != t.columns[i]->type)
      fail(status::internal, "experiment ", word(), ": table ", t.id, ", column ", t.columns[i]->id,
           ": a value of type ", values[i].type, " instead of ", t.columns[i]->type);
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
      if (d.blank_ends > 0 && !session->seed_compat())
        log_warning(
            cat(d.file.string(), ": ", d.blank_ends, " of ", std::min(d.records, session->limit_of(d)),
                " prompts end in a blank; they read badly, because most tokenizers put the blank in front "
                "of the next word: take it off, the answer needs none"));
    }
}

}  // namespace depthlens
