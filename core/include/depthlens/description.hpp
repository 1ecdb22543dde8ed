// SPDX-License-Identifier: Apache-2.0
// What an experiment says of itself, in C++: its options and inputs, its tables with their columns, and its
// figures. Every one is written with the names of its fields where there are many, as
// figure{.kind = DLENS_FIGURE_LINES, .id = "onset", ...}; `description` owns the C form that the host reads.
#pragma once

#include "depthlens/abi/figures.h"
#include "depthlens/base/abi_error.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens {

// An option as an experiment declares it.
struct option_fields {
  const char* id;
  std::uint32_t type;                    // DLENS_OPTION_I64, ...
  const char* fallback = nullptr;        // the default as text; nullptr = none (a FILE that may be absent)
  const char* help = "";                 // one sentence
  const char* const* choices = nullptr;  // of a CHOICE; the last is nullptr
  double min = 0, max = 0;               // bounds of an F64; min >= max = none
  std::int64_t least = 0, most = 0;      // of an I64; likewise
  std::uint32_t flags = 0;               // DLENS_GIVEN_REPEATEDLY
};
inline dlens_option make_option(const option_fields& o) {
  return {.size = sizeof(dlens_option),
          .type = o.type,
          .id = o.id,
          .help = o.help,
          .fallback = o.fallback,
          .choices = o.choices,
          .min = o.min,
          .max = o.max,
          .least = o.least,
          .most = o.most,
          .flags = o.flags,
          .reserved = 0};
}
// The kinds of records, the last nullptr, that are taken for a set: "" = the bare key, "*" = any set.
inline dlens_input make_input(const char* set, const char* const* kinds) {
  return {sizeof(dlens_input), 0, set, kinds};
}

struct column {
  std::string id;
  std::uint32_t type;  // DLENS_I64, ...
  std::string help = {};
};

struct table {
  std::string id;
  std::string file;  // {lens} and {name} are replaced
  std::vector<column> columns;
  std::uint32_t flags = 0;  // DLENS_TABLE_SHARED | DLENS_TABLE_SUMMARY
};

struct panel {
  std::string x, y = {};  // column ids; y is empty in a density
  std::string x_label = {}, y_label = {};
  std::uint32_t flags = 0;  // DLENS_PANEL_LOG_Y | ...
  std::string title = {};
  std::string where = {};           // "column=value"
  std::string low = {}, high = {};  // columns with an interval around y
};

struct figure {
  std::uint32_t kind;  // DLENS_FIGURE_LINES, ...
  std::string id, file, title, table;
  std::vector<panel> panels = {};
  std::string series = {}, color = {}, dash = {}, count = {}, never = {};  // column ids; empty = none
  std::uint32_t flags = 0;                                                 // DLENS_DRAW_TRAINED_LENS | ...
  std::string baseline = {};                                               // column id; empty = none
  std::vector<std::string> lens_files = {};  // lens by lens, in place of `file`; empty = none
};

// A column of a table, found by its id once and then read from any row of that table. The value must be of
// the type that is asked for.
class row_column {
 public:
  explicit row_column(std::size_t place) : place_(place) {}
  bool is_null(const dlens_row& row) const { return row.values[place_].type == DLENS_NULL; }
  std::int64_t i64(const dlens_row& row) const { return row.values[place_].as.i64; }
  double f64(const dlens_row& row) const { return row.values[place_].as.f64; }  // of F32 columns too
  // Lives as long as the row.
  std::string_view text(const dlens_row& row) const { return to_view(row.values[place_].as.text); }
  std::size_t place() const { return place_; }  // among the columns

 private:
  std::size_t place_;
};

// Owns the C form of tables and figures.
class description {
 public:
  description(std::vector<table> tables, std::vector<figure> figures)
      : tables_(std::move(tables)), figures_(std::move(figures)) {
    for (const table& t : tables_) add(t);
    for (const figure& f : figures_) add(f);
    c_ = {.size = sizeof c_,
          .reserved = 0,
          .tables = table_pointers_.data(),
          .n_tables = table_pointers_.size()};
  }
  description(const description&) = delete;
  description& operator=(const description&) = delete;
  const dlens_description* c() const { return &c_; }
  const std::vector<const dlens_figure*>& figures() const { return figure_pointers_; }
  // The number by which append names a table.
  std::uint32_t table_number(std::string_view id) const {
    for (std::uint32_t i = 0; i < tables_.size(); ++i)
      if (tables_[i].id == id) return i;
    fail(status::internal, "no table \"", id, '"');
  }
  // For rows of a table of that number; tables of equal columns share it.
  row_column column_of(std::uint32_t table, std::string_view id) const {
    const std::vector<column>& columns = tables_.at(table).columns;
    for (std::size_t i = 0; i < columns.size(); ++i)
      if (columns[i].id == id) return row_column(i);
    fail(status::internal, "table \"", tables_[table].id, "\" has no column \"", id, '"');
  }

 private:
  static const char* or_null(const std::string& s) { return s.empty() ? nullptr : s.c_str(); }
  template <class T>
  static T* keep(std::vector<std::unique_ptr<T>>& store, T value) {
    return store.emplace_back(std::make_unique<T>(value)).get();
  }
  void add(const table& t) {
    auto& pointers = *column_pointers_.emplace_back(std::make_unique<std::vector<const dlens_column*>>());
    for (const column& c : t.columns)
      pointers.push_back(
          keep(columns_, dlens_column{sizeof(dlens_column), c.type, c.id.c_str(), c.help.c_str()}));
    table_pointers_.push_back(keep(c_tables_, dlens_table{.size = sizeof(dlens_table),
                                                          .flags = t.flags,
                                                          .id = t.id.c_str(),
                                                          .file = t.file.c_str(),
                                                          .columns = pointers.data(),
                                                          .n_columns = pointers.size()}));
  }
  void add(const figure& f) {
    auto& pointers = *panel_pointers_.emplace_back(std::make_unique<std::vector<const dlens_panel*>>());
    for (const panel& p : f.panels)
      pointers.push_back(keep(panels_, dlens_panel{.size = sizeof(dlens_panel),
                                                   .flags = p.flags,
                                                   .title = p.title.c_str(),
                                                   .x = p.x.c_str(),
                                                   .y = or_null(p.y),
                                                   .x_label = p.x_label.c_str(),
                                                   .y_label = p.y_label.c_str(),
                                                   .where = or_null(p.where),
                                                   .low = or_null(p.low),
                                                   .high = or_null(p.high)}));
    auto& files = *lens_files_.emplace_back(std::make_unique<std::vector<const char*>>());
    for (const std::string& file : f.lens_files) files.push_back(file.c_str());
    figure_pointers_.push_back(
        keep(c_figures_, dlens_figure{.size = sizeof(dlens_figure),
                                      .kind = f.kind,
                                      .id = f.id.c_str(),
                                      .file = f.file.c_str(),
                                      .title = f.title.c_str(),
                                      .table = f.table.c_str(),
                                      .series = or_null(f.series),
                                      .color = or_null(f.color),
                                      .dash = or_null(f.dash),
                                      .count = or_null(f.count),
                                      .never = or_null(f.never),
                                      .panels = pointers.data(),
                                      .n_panels = pointers.size(),
                                      .flags = f.flags,
                                      .reserved = 0,
                                      .baseline = or_null(f.baseline),
                                      .lens_files = files.empty() ? nullptr : files.data()}));
  }

  std::vector<table> tables_;
  std::vector<figure> figures_;
  std::vector<std::unique_ptr<dlens_column>> columns_;
  std::vector<std::unique_ptr<dlens_table>> c_tables_;
  std::vector<std::unique_ptr<dlens_panel>> panels_;
  std::vector<std::unique_ptr<dlens_figure>> c_figures_;
  std::vector<std::unique_ptr<std::vector<const dlens_column*>>> column_pointers_;
  std::vector<std::unique_ptr<std::vector<const dlens_panel*>>> panel_pointers_;
  std::vector<std::unique_ptr<std::vector<const char*>>> lens_files_;
  std::vector<const dlens_table*> table_pointers_;
  std::vector<const dlens_figure*> figure_pointers_;
  dlens_description c_{};
};

}  // namespace depthlens
