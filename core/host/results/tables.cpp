// SPDX-License-Identifier: Apache-2.0
#include "results/tables.hpp"

#include "depthlens/base/abi_error.hpp"
#include "depthlens/table/csv.hpp"
#include "engine/row_values.hpp"
#include "results/expert_summary.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

namespace depthlens {
namespace {

// One CSV on its way.
class table_file {
 public:
  table_file(const dlens_table& table, const std::filesystem::path& file, bool as_published)
      : table_(table),
        file_(file),
        csv_([this](std::string_view bytes) { file_.write(bytes); },
             as_published ? csv_quotes::where_needed : csv_quotes::all_texts),
        as_published_(as_published),
        headless_(as_published) {
    if (!headless_) write_header();
  }

  void row(const dlens_value* values, std::uint64_t n) {
    if (headless_) write_header();
    for (std::uint64_t i = 0; i < n; ++i) field(values[i]);
    csv_.end_row();
  }

  file_digest commit() {
    if (headless_) file_.write("\n");
    return file_.commit();
  }

 private:
  void write_header() {
    headless_ = false;
    for (std::uint64_t i = 0; i < table_.n_columns; ++i) {
      const dlens_column& column = *table_.columns[i];
      column.type == DLENS_TEXT ? csv_.text(column.id) : csv_.name(column.id);
    }
    csv_.end_row();
  }
  void field(const dlens_value& v) {
    // Readers of tables take "nan" for a word: no number is a gap.
    const bool is_float = v.type == DLENS_F64 || v.type == DLENS_F32;
    if (is_float && std::isnan(v.as.f64) && !as_published_) return csv_.empty();
    switch (v.type) {
      case DLENS_I64:
        return csv_.integer(v.as.i64);
      case DLENS_F64:
        return csv_.python_float(v.as.f64);
      case DLENS_F32:
        return csv_.f32(static_cast<float>(v.as.f64));
      case DLENS_TEXT:
        return csv_.text(to_view(v.as.text));
      default:
        return csv_.empty();
    }
  }

  const dlens_table& table_;
  hashed_file file_;
  csv_writer csv_;
  const bool as_published_;
  bool headless_;
};

using table_files = std::vector<std::unique_ptr<table_file>>;  // by number; null = not written here

// The numbers of tables by their ids. Rows of one table come one after the other, so the last one is looked
// at first.
class table_numbers {
 public:
  explicit table_numbers(const dlens_description& d) {
    for (std::uint32_t i = 0; i < d.n_tables; ++i) ids_.emplace_back(d.tables[i]->id);
  }
  std::uint32_t of(std::string_view id) {
    if (last_ < ids_.size() && ids_[last_] == id) return last_;
    for (last_ = 0; last_ < ids_.size(); ++last_)
      if (ids_[last_] == id) return last_;
    fail(status::config, "the record log holds rows of a table \"", id,
         "\" that the experiment no longer has; use --fresh");
  }

 private:
  std::vector<std::string_view> ids_;
  std::uint32_t last_ = 0;
};

// Reads a log once, one record in memory at a time, for two takers: on_record gets every record, and the
// study's finish, which pulls rows through c(), gets the rows of as many as it asks for.
class log_rows {
 public:
  using on_record = std::function<void(const entry&)>;
  log_rows(const table_request& request, table_numbers& numbers, on_record take)
      : numbers_(numbers), take_record_(std::move(take)), sets_(request.session.sets()), request_(request) {
    begin();
    c_ = {.size = sizeof c_,
          .reserved = 0,
          .n_records = request.log.size(),
          .self = this,
          .next = &next,
          .rewind = [](const dlens_rows* r, dlens_error* e) noexcept {
            return guarded(e, [&] { static_cast<log_rows*>(r->self)->begin(); });
          }};
  }
  const dlens_rows* c() const { return &c_; }
  // Gives on_record the records that finish did not ask for: all of them where it has no use for rows.
  void read_rest() {
    while (next_record()) {
    }
  }

 private:
  static dlens_status next(const dlens_rows* r, const dlens_row** row, dlens_error* e) noexcept {
    return guarded(e, [&] { *row = static_cast<log_rows*>(r->self)->next_row(); });
  }

  void begin() {
    records_.emplace(request_.log.read(sets_, within_limit(request_.session)));
    current_.reset();
    at_ = read_ = 0;
  }

  // False after the last one.
  bool next_record() {
    current_ = records_->next();
    at_ = 0;
    if (!current_) return false;
    dataset_ = static_cast<std::uint32_t>(std::find(sets_.begin(), sets_.end(), current_->key().set) -
                                          sets_.begin());
    if (++read_ > taken_) {  // not before a rewind
      take_record_(*current_);
      taken_ = read_;
    }
    return true;
  }

  const dlens_row* next_row() {
    std::uint32_t table = 0;
    // The study knows nothing of the tables of --experts, which lie behind its own.
    do {
      while (!current_ || at_ == current_->rows().size())
        if (!next_record()) return nullptr;
      table = numbers_.of(current_->rows()[at_++].table);
    } while (table >= own_tables_);
    const logged_row& row = current_->rows()[at_ - 1];
    row_ = {.size = sizeof row_,
            .table = table,
            .dataset = dataset_,
            .record = current_->key().index,
            .values = row.values.data(),
            .n_values = row.values.size()};
    return &row_;
  }

  table_numbers& numbers_;
  const on_record take_record_;
  const std::vector<std::string> sets_;
  const table_request& request_;
  std::optional<record_log::reader> records_;
  const std::uint64_t own_tables_ = request_.session.own_tables();
  std::uint32_t dataset_ = 0;
  std::size_t at_ = 0;                  // in the record
  std::uint64_t read_ = 0, taken_ = 0;  // records since the beginning, and by take_record_
  std::unique_ptr<entry> current_;
  dlens_row row_{};
  dlens_rows c_{};
};

// The sink of finish: rows of summary tables, prompts of figures.
struct finish_sink {
  const table_request& request;
  table_files& files;
  finished_tables& out;
  dlens_sink c{
      .size = sizeof(dlens_sink), .self = this, .append = &append, .figure_prompts = &figure_prompts};

  static dlens_status append(const dlens_sink* s, std::uint32_t table, const dlens_value* values,
                             std::uint64_t n, dlens_error* e) noexcept {
    return guarded(e, [&] {
      auto& self = *static_cast<finish_sink*>(s->self);
      const dlens_table& t = self.request.session.check_row(table, values, n);
      if (!(t.flags & DLENS_TABLE_SUMMARY))
        fail(status::internal, "it wrote to table ", t.id, ", which is no summary");
      if (self.files[table]) self.files[table]->row(row_values(values, n).data(), n);
    });
  }
  static dlens_status figure_prompts(const dlens_sink* s, std::uint32_t figure, std::uint64_t n,
                                     dlens_error* e) noexcept {
    return guarded(e, [&] {
      auto& self = *static_cast<finish_sink*>(s->self);
      const auto figures = self.request.session.figures();
      if (figure >= figures.size()) fail(status::internal, "it named a figure that is not declared");
      self.out.prompts[figures[figure]->id] = n;
    });
  }
};

table_files open_tables(const table_request& request, const run_context& context, finished_tables& out) {
  table_files files(request.session.description().n_tables);
  for (const named_table& t : tables_of_lens(request.session, context, request.lens, request.shared_too)) {
    files[t.number] = std::make_unique<table_file>(*t.table, request.folder / t.file, request.as_published);
    out.files.push_back(t.file);
    if (t.table->flags & DLENS_TABLE_SUMMARY) out.summaries.push_back(t.file);
  }
  return files;
}

}  // namespace

std::string file_stem(const char* form, const std::string& lens, const std::string& name) {
  std::string out;
  for (std::string_view rest = form; !rest.empty();) {
    const auto replace = [&](std::string_view mark, const std::string& by) {
      if (!rest.starts_with(mark)) return false;
      out += by;
      rest.remove_prefix(mark.size());
      return true;
    };
    if (replace("{lens}", lens) || replace("{name}", name)) continue;
    if (replace("{_lens}", lens == "logit" ? "" : "_" + lens)) continue;
    out += rest.front();
    rest.remove_prefix(1);
  }
  std::replace(out.begin(), out.end(), '/', '_');
  return out;
}

std::vector<named_table> tables_of_lens(const study_session& session, const run_context& context,
                                        std::uint32_t lens, bool shared_too) {
  const dlens_description& described = session.description();
  std::vector<named_table> out;
  for (std::uint32_t i = 0; i < described.n_tables; ++i) {
    const dlens_table& table = *described.tables[i];
    if ((table.flags & DLENS_TABLE_SHARED) && !shared_too) continue;
    out.push_back({i, &table, file_stem(table.file, context.lens_labels[lens], context.name) + ".csv"});
  }
  return out;
}

std::function<bool(const record_key&)> within_limit(const study_session& session) {
  std::map<std::string, std::uint64_t> limits;
  for (const dataset_plan& d : session.plan().datasets) limits[d.set] = session.limit_of(d);
  return [limits = std::move(limits)](const record_key& k) { return k.index < limits.at(k.set); };
}

finished_tables write_tables(const table_request& request, const run_context& context) {
  finished_tables out;
  table_files files = open_tables(request, context, out);
  table_numbers numbers(request.session.description());
  const expert_tables* const experts = request.session.experts();
  std::optional<expert_summary> chosen;
  if (experts != nullptr && request.shared_too) chosen.emplace(*experts);
  const auto write_record = [&](const entry& e) {
    for (const logged_row& row : e.rows()) {
      const std::uint32_t t = numbers.of(row.table);
      if (files[t]) files[t]->row(row.values.data(), row.values.size());
    }
    if (chosen) chosen->add(e);
    out.devices.add(e);
    for (const entry::counted& c : e.counts()) out.counts[std::string(c.set)][std::string(c.reason)] += c.n;
  };
  // Tables of records are written by write_record, as the log is read; summary tables by finish, through its
  // sink, from the rows that it reads of the same pass.
  log_rows rows(request, numbers, write_record);
  const finish_sink sink{request, files, out};
  request.session.finish(rows.c(), request.lens, &sink.c);
  rows.read_rest();
  if (chosen) {
    chosen->write([&](std::string_view table, std::span<const dlens_value> values) {
      files[numbers.of(table)]->row(values.data(), values.size());
    });
    out.prompts[experts->about().figures().front()->id] = chosen->records();
  }
  for (const auto& f : files)
    if (f) out.digests.push_back(f->commit());
  return out;
}

}  // namespace depthlens
