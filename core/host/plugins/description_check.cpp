// SPDX-License-Identifier: Apache-2.0
#include "plugins/description_check.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/base/utf8.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace depthlens {
namespace {

constexpr std::uint32_t table_flags = DLENS_TABLE_SHARED | DLENS_TABLE_SUMMARY;
constexpr std::uint32_t figure_flags =
    DLENS_DRAW_TRAINED_LENS | DLENS_DRAW_ORDERED | DLENS_DRAW_CONTROLLED_BASELINE | DLENS_DRAW_ON_REQUEST;
constexpr std::uint32_t panel_flags = DLENS_PANEL_LOG_X | DLENS_PANEL_LOG_Y | DLENS_PANEL_PERCENT_Y |
                                      DLENS_PANEL_LAYER_X | DLENS_PANEL_MARKERS | DLENS_PANEL_REVERSED_Y |
                                      DLENS_PANEL_INTERVAL_X;

template <class... Parts>
[[noreturn]] void wrong(const Parts&... parts) {
  fail(status::internal, parts...);
}

void check_flags(const std::string& whose, std::uint32_t flags, std::uint32_t known) {
  if ((flags & ~known) != 0)
    wrong(whose, " has the flag ", flags & ~known, ", which this program does not know");
}

void check_list(const std::string& whose, const void* list, std::uint64_t n) {
  constexpr std::uint64_t most = 4096;
  if (n > most) wrong(whose, " are ", n, "; ", most, " at most may be");
  if (n > 0 && list == nullptr) wrong(whose, " should be ", n, ", and are not there");
}

void check_reserved(const std::string& whose, std::uint32_t reserved) {
  if (reserved != 0) wrong(whose, " has ", reserved, " in a reserved place, which must be 0");
}

// "" = the text can be part of a file's name.
std::string name_problem(std::string_view form) {
  constexpr std::size_t longest = 100;  // lens, model and ending come to it
  if (form.empty()) return "an empty file name";
  if (form.size() > longest) return cat("a file name of more than ", longest, " bytes");
  if (form.find_first_not_of('.') == std::string_view::npos) return "a file name of dots alone";
  if (form.find('/') != std::string_view::npos) return "a file name with '/'";
  if (utf8_first_broken(form) != std::string_view::npos) return "a file name that is no UTF-8";
  if (std::any_of(form.begin(), form.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
    return "a file name with control characters";
  return "";
}

void check_column(const std::string& table, const dlens_column* column, std::uint64_t number) {
  if (column == nullptr || !DLENS_HAS(dlens_column, column, help) || column->id == nullptr ||
      *column->id == '\0')
    wrong(table, ": column ", number, " has no name");
  if (utf8_first_broken(column->id) != std::string_view::npos)
    wrong(table, ": the name of column ", number, " is no UTF-8: ", visible_line(column->id));
  if (column->type < DLENS_I64 || column->type > DLENS_TEXT)
    wrong(table, ": column ", column->id, " is of type ", column->type, ", which this program does not know");
}

void check_table(const dlens_table& t, std::uint64_t number) {
  if (!DLENS_HAS(dlens_table, &t, n_columns) || t.id == nullptr || t.file == nullptr || *t.id == '\0')
    wrong("table ", number, " is incomplete");
  const std::string whose = "table " + visible_line(t.id);
  check_flags(whose, t.flags, table_flags);
  if (const std::string problem = name_problem(t.file); !problem.empty())
    wrong(whose, ": ", problem, ": \"", visible_line(t.file), '"');
  if (t.n_columns == 0) wrong(whose, " has no columns");
  check_list(whose + ": columns", t.columns, t.n_columns);
  std::set<std::string_view> ids;
  for (std::uint64_t c = 0; c < t.n_columns; ++c) {
    check_column(whose, t.columns[c], c);
    if (!ids.insert(t.columns[c]->id).second) wrong(whose, " has two columns ", t.columns[c]->id);
  }
}

const dlens_table& table_of(const dlens_description& d, const dlens_figure& f, const std::string& whose) {
  for (const dlens_table* t : std::span(d.tables, d.n_tables))
    if (std::string_view(t->id) == f.table) return *t;
  wrong(whose, " draws a table \"", visible_line(f.table), "\" that is not declared");
}

void check_drawn_column(const std::string& whose, const dlens_table& t, std::string_view id) {
  const std::span columns(t.columns, t.n_columns);
  if (std::none_of(columns.begin(), columns.end(), [&](const dlens_column* c) { return id == c->id; }))
    wrong(whose, " draws a column \"", visible_line(id), "\" that table ", t.id, " does not have");
}

void check_panel(const std::string& whose, const dlens_table& t, const dlens_figure& f,
                 const dlens_panel* p) {
  if (p == nullptr || !DLENS_HAS(dlens_panel, p, high) || p->x == nullptr || p->title == nullptr ||
      p->x_label == nullptr || p->y_label == nullptr)
    wrong(whose, " has an incomplete panel");
  check_flags(whose + ", a panel,", p->flags, panel_flags);
  check_drawn_column(whose, t, p->x);
  if (p->y != nullptr)
    check_drawn_column(whose, t, p->y);
  else if (f.kind != DLENS_FIGURE_DENSITY)
    wrong(whose, " has a panel without y");
  if ((p->low == nullptr) != (p->high == nullptr) ||
      (p->low != nullptr && f.kind != DLENS_FIGURE_LINES && f.kind != DLENS_FIGURE_STACKED_BARS))
    wrong(whose, " has an interval that is not two columns behind lines");
  if (p->low != nullptr) check_drawn_column(whose, t, p->low);
  if (p->high != nullptr) check_drawn_column(whose, t, p->high);
  if (p->where == nullptr) return;
  const std::string_view where = p->where;
  if (where.find('=') == std::string_view::npos)
    wrong(whose, " has a panel of the rows \"", visible_line(where), "\", which is not column=value");
  check_drawn_column(whose, t, where.substr(0, where.find('=')));
}

void check_file(const std::string& whose, const char* file) {
  if (file == nullptr) wrong(whose, " has no file name");
  if (const std::string problem = name_problem(file); !problem.empty())
    wrong(whose, ": ", problem, ": \"", visible_line(file), '"');
}

void check_figure(const dlens_description& d, const dlens_figure& f, std::uint64_t number,
                  std::uint32_t n_lenses) {
  if (!DLENS_HAS(dlens_figure, &f, lens_files) || f.id == nullptr || f.file == nullptr ||
      f.title == nullptr || f.table == nullptr)
    wrong("figure ", number, " is incomplete");
  const std::string whose = "figure " + visible_line(f.id);
  check_file(whose, f.file);
  for (std::uint32_t i = 0; f.lens_files != nullptr && i < n_lenses; ++i) check_file(whose, f.lens_files[i]);
  if (f.kind < DLENS_FIGURE_LINES || f.kind > DLENS_FIGURE_DENSITY)
    wrong(whose, " is of kind ", f.kind, ", which this program does not know");
  check_flags(whose, f.flags, figure_flags);
  check_reserved(whose, f.reserved);
  const dlens_table& table = table_of(d, f, whose);
  for (const char* column : {f.series, f.color, f.dash, f.count, f.never, f.baseline})
    if (column != nullptr) check_drawn_column(whose, table, column);
  check_list(whose + ": panels", f.panels, f.n_panels);
  for (const dlens_panel* p : std::span(f.panels, f.n_panels)) check_panel(whose, table, f, p);
}

template <class Number>
bool is_number_within(std::string_view text, Number least, Number most) {
  Number value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  return problem == std::errc() && end == text.data() + text.size() &&
         (least >= most || (value >= least && value <= most));
}

bool is_value_of(const dlens_option& o, std::string_view text) {
  switch (o.type) {
    case DLENS_OPTION_BOOL:
      return text == "true" || text == "false";
    case DLENS_OPTION_I64:
      return is_number_within(text, o.least, o.most);
    case DLENS_OPTION_F64:
      return is_number_within(text, o.min, o.max);
    case DLENS_OPTION_CHOICE:
      for (const char* const* c = o.choices; *c != nullptr; ++c)
        if (text == *c) return true;
      return false;
    default:
      return true;
  }
}

void check_option(const dlens_option* o, std::uint64_t number, std::set<std::string_view>& ids) {
  if (o == nullptr || !DLENS_HAS(dlens_option, o, reserved) || o->id == nullptr || *o->id == '\0' ||
      o->help == nullptr)
    wrong("option ", number, " is incomplete");
  const std::string whose = "option " + visible_line(o->id);
  if (o->type < DLENS_OPTION_BOOL || o->type > DLENS_OPTION_FILE)
    wrong(whose, " is of type ", o->type, ", which this program does not know");
  check_flags(whose, o->flags, DLENS_GIVEN_REPEATEDLY);
  check_reserved(whose, o->reserved);
  if (o->type != DLENS_OPTION_F64 && o->min < o->max) wrong(whose, " has bounds of a number and is none");
  if (o->type != DLENS_OPTION_I64 && o->least < o->most)
    wrong(whose, " has bounds of a whole number and is none");
  if (o->type == DLENS_OPTION_CHOICE && (o->choices == nullptr || *o->choices == nullptr))
    wrong(whose, " has no choices");
  if (o->fallback != nullptr && !is_value_of(*o, o->fallback))
    wrong(whose, " has the default ", visible_line(o->fallback), ", which it does not take");
  if (!ids.insert(o->id).second) wrong("two options are called ", visible_line(o->id));
}

}  // namespace

void check_description(const dlens_description* d) {
  if (d == nullptr || !DLENS_HAS(dlens_description, d, n_tables)) wrong("it describes nothing");
  check_reserved("its description", d->reserved);
  check_list("its tables", d->tables, d->n_tables);
  std::set<std::string_view> ids;
  for (std::uint64_t i = 0; i < d->n_tables; ++i) {
    if (d->tables[i] == nullptr) wrong("table ", i, " is incomplete");
    check_table(*d->tables[i], i);
    if (!ids.insert(d->tables[i]->id).second) wrong("two tables are called ", visible_line(d->tables[i]->id));
  }
}

void check_figures(const dlens_description& d, std::span<const dlens_figure* const> figures,
                   std::uint32_t n_lenses) {
  check_list("its figures", figures.data(), figures.size());
  std::set<std::string_view> ids;
  for (std::uint64_t i = 0; i < figures.size(); ++i) {
    if (figures[i] == nullptr) wrong("figure ", i, " is incomplete");
    check_figure(d, *figures[i], i, n_lenses);
    if (!ids.insert(figures[i]->id).second) wrong("two figures are called ", visible_line(figures[i]->id));
  }
}

void check_experiment(const dlens_experiment& e) {
  if (!DLENS_HAS(dlens_experiment, &e, study_create)) wrong("its experiment table is too small");
  check_reserved("its experiment table", e.reserved);
  check_list("its options", e.options, e.n_options);
  check_list("its inputs", e.inputs, e.n_inputs);
  std::set<std::string_view> ids;
  for (std::uint64_t i = 0; i < e.n_options; ++i) check_option(e.options[i], i, ids);
  for (std::uint64_t i = 0; i < e.n_inputs; ++i) {
    const dlens_input* in = e.inputs[i];
    if (in == nullptr || !DLENS_HAS(dlens_input, in, kinds) || in->set == nullptr || in->kinds == nullptr)
      wrong("input ", i, " is incomplete");
    check_reserved(cat("input ", i), in->reserved);
  }
}

}  // namespace depthlens
