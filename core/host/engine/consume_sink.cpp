// SPDX-License-Identifier: Apache-2.0
#include "engine/consume_sink.hpp"

#include "depthlens/base/abi_error.hpp"
#include "engine/row_values.hpp"

#include <algorithm>
#include <optional>

namespace depthlens {
namespace {

// The table of a row of consume, which checks it; summaries are made by finish.
const dlens_table& row_table(const study_session& study, std::uint32_t table, const dlens_value* values,
                             std::uint64_t n) {
  const dlens_table& t = study.check_row(table, values, n);
  if ((t.flags & DLENS_TABLE_SUMMARY) != 0)
    fail(status::internal, "it wrote to table ", t.id, ", a summary, which finish alone does");
  return t;
}

// Checks rows against the study's tables and serialises them.
class plain_sink {
 public:
  plain_sink(const study_session& study, entry_writer& out) : study_(study), out_(out) {}
  const dlens_sink& c() const { return c_; }

 private:
  static dlens_status append(const dlens_sink* s, std::uint32_t table, const dlens_value* values,
                             std::uint64_t n, dlens_error* e) noexcept {
    return guarded(e, [&] {
      auto& self = *static_cast<plain_sink*>(s->self);
      const dlens_table& t = row_table(self.study_, table, values, n);
      self.out_.row(t.id, row_values(values, n).data(), n);
    });
  }
  static dlens_status count(const dlens_sink* s, dlens_text set, dlens_text reason, std::uint64_t n,
                            dlens_error* e) noexcept {
    return guarded(e, [&] {
      static_cast<plain_sink*>(s->self)->out_.count(visible_text(set), visible_text(reason), n);
    });
  }
  static std::string visible_text(dlens_text t) {
    return utf8_first_broken(to_view(t)) == std::string_view::npos ? std::string(to_view(t))
                                                                   : visible(to_view(t));
  }

  const study_session& study_;
  entry_writer& out_;
  dlens_sink c_{.size = sizeof(dlens_sink), .self = this, .append = &append, .count = &count};
};

// Where a table says whether its line is kept, and why not.
struct verdict_columns {
  std::size_t kept, reason;
};

std::optional<verdict_columns> verdict_columns_of(const dlens_table& t) {
  const auto find = [&](std::string_view id, std::uint32_t type) {
    return static_cast<std::size_t>(
        std::find_if(t.columns, t.columns + t.n_columns,
                     [&](const dlens_column* c) { return id == c->id && c->type == type; }) -
        t.columns);
  };
  const verdict_columns out{find("kept", DLENS_I64), find("reason", DLENS_TEXT)};
  if (!(t.flags & DLENS_TABLE_SHARED) || out.kept == t.n_columns || out.reason == t.n_columns)
    return std::nullopt;
  return out;
}

// Of a record with readings that are not finite. Lines that the experiment would keep are not kept; where it
// would keep none, its reason may come from such a reading, so all of them get this one.
class refusing_sink {
 public:
  // out: null = only looks whether a line would be kept.
  refusing_sink(const study_session& study, plain_sink* out, bool all_lines)
      : study_(study), out_(out), all_lines_(all_lines) {}
  const dlens_sink& c() const { return c_; }
  bool would_keep() const { return would_keep_; }

 private:
  static dlens_status append(const dlens_sink* s, std::uint32_t table, const dlens_value* values,
                             std::uint64_t n, dlens_error* e) noexcept {
    auto& self = *static_cast<refusing_sink*>(s->self);
    std::vector<dlens_value> line;
    const dlens_status checked = guarded(e, [&] {
      const auto columns = verdict_columns_of(row_table(self.study_, table, values, n));
      if (!columns) return;
      self.would_keep_ |= values[columns->kept].type == DLENS_I64 && values[columns->kept].as.i64 != 0;
      if (self.out_ == nullptr) return;
      line.assign(values, values + n);
      if (!self.all_lines_ && values[columns->kept].as.i64 == 0) return;
      line[columns->kept] = {DLENS_I64, 0, {.i64 = 0}};
      line[columns->reason] = {DLENS_TEXT, 0, {.i64 = 0}};
      line[columns->reason].as.text = to_text(not_finite_reason);
    });
    if (checked != DLENS_OK || line.empty()) return checked;
    const dlens_sink& to = self.out_->c();
    return to.append(&to, table, line.data(), n, e);
  }
  static dlens_status count(const dlens_sink* s, dlens_text set, dlens_text reason, std::uint64_t n,
                            dlens_error* e) noexcept {
    auto& self = *static_cast<refusing_sink*>(s->self);
    self.would_keep_ |= reason.size == 0;
    if (self.out_ == nullptr) return DLENS_OK;
    const dlens_sink& to = self.out_->c();
    return to.count(&to, set, self.all_lines_ || reason.size == 0 ? to_text(not_finite_reason) : reason, n,
                    e);
  }

  const study_session& study_;
  plain_sink* out_;
  bool all_lines_, would_keep_ = false;
  dlens_sink c_{.size = sizeof(dlens_sink), .self = this, .append = &append, .count = &count};
};

}  // namespace

std::string consume_to_payload(const study_session& study, const record_job& job, const record_key& key,
                               const std::vector<lens_slot>& lenses, std::uint32_t lens,
                               std::string_view device) {
  const auto consume = [&](const dlens_sink& sink) { study.consume_record(job, lenses, lens, sink); };
  entry_writer out(key);
  out.device(device);
  plain_sink plain(study, out);
  if (job.finite(lenses, lens)) {
    consume(plain.c());
    if (study.experts() != nullptr) study.experts()->write_rows(job, key.set, out);
    return out.take();
  }
  try {
    const refusing_sink looking(study, nullptr, false);
    consume(looking.c());
    const refusing_sink refusing(study, &plain, !looking.would_keep());
    consume(refusing.c());
    return out.take();
  } catch (const error&) {  // what the experiment cannot make sense of is no fault of it
    entry_writer none(key);
    none.device(device);
    none.count(key.set, not_finite_reason, 1);
    return none.take();
  }
}

}  // namespace depthlens
