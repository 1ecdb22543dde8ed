// SPDX-License-Identifier: Apache-2.0
// What a plugin declares wrongly is said before a model runs.
#include "plugins/description_check.hpp"

#include "depthlens/description.hpp"
#include "support/data_files.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <string>

BOOST_AUTO_TEST_SUITE(descriptions)

namespace {

using namespace depthlens;

const description good{
    {{"rows", "rows_{lens}", {{"layer", DLENS_I64}, {"n", DLENS_I64}, {"entropy", DLENS_F32}}}},
    {{.kind = DLENS_FIGURE_LINES,
      .id = "f",
      .file = "f_{lens}",
      .title = "F",
      .table = "rows",
      .panels = {{.x = "layer", .y = "entropy", .where = "n=1"}},
      .series = "n"}}};

// The good description with one thing changed.
struct changed {
  dlens_description whole = *good.c();
  dlens_table table = *good.c()->tables[0];
  dlens_figure figure = *good.figures()[0];
  dlens_panel panel = *good.figures()[0]->panels[0];
  dlens_column column = *good.c()->tables[0]->columns[1];
  const dlens_table* tables[1] = {&table};
  const dlens_figure* figures[1] = {&figure};
  const dlens_panel* panels[1] = {&panel};
  const dlens_column* columns[3] = {table.columns[0], &column, table.columns[2]};

  changed() {
    whole.tables = tables;
    figure.panels = panels;
    table.columns = columns;
  }
  changed(const changed&) = delete;
};

void check_all(const changed& c) {
  check_description(&c.whole);
  check_figures(c.whole, c.figures, 2);
}

void check_refused(const std::string& with, const std::function<void(changed&)>& change) {
  changed c;
  change(c);
  test::check_fails([&] { check_all(c); }, status::internal, with);
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_good_description_passes_and_so_does_one_that_has_outgrown_this_program) {
  check_description(good.c());
  changed c;
  c.table.size += 16;
  c.figure.size += 8;
  c.whole.size += 8;
  check_all(c);
}

BOOST_AUTO_TEST_CASE(flags_kinds_and_reserved_places_without_a_meaning_are_refused) {
  check_refused("table rows has the flag 64", [](changed& c) { c.table.flags = 64 | DLENS_TABLE_SHARED; });
  check_refused("figure f has the flag 16", [](changed& c) { c.figure.flags = 16; });
  check_refused("figure f is of kind 5", [](changed& c) { c.figure.kind = 5; });
  check_refused("figure f has 7 in a reserved place", [](changed& c) { c.figure.reserved = 7; });
  check_refused("a panel, has the flag 128", [](changed& c) { c.panel.flags = 128; });
  check_refused("column n is of type 9", [](changed& c) { c.column.type = 9; });
  check_refused("its description has 1 in a reserved place", [](changed& c) { c.whole.reserved = 1; });
}

BOOST_AUTO_TEST_CASE(columns_that_are_doubled_or_drawn_and_not_there_are_refused) {
  check_refused("table rows has two columns layer", [](changed& c) { c.column.id = "layer"; });
  check_refused("figure f draws a column \"nosuch\"", [](changed& c) { c.panel.y = "nosuch"; });
  check_refused("figure f draws a column \"nosuch\"", [](changed& c) { c.panel.where = "nosuch=1"; });
  check_refused("which is not column=value", [](changed& c) { c.panel.where = "n"; });
  check_refused("figure f draws a column \"nosuch\"", [](changed& c) { c.figure.series = "nosuch"; });
  check_refused("figure f draws a table \"nosuch\"", [](changed& c) { c.figure.table = "nosuch"; });
  check_refused("figure f has a panel without y", [](changed& c) { c.panel.y = nullptr; });
  check_refused("figure f has an interval that is not two columns", [](changed& c) { c.panel.low = "n"; });
  check_refused("figure f draws a column \"nosuch\"",
                [](changed& c) { c.panel.low = c.panel.high = "nosuch"; });
  static const char* const files[] = {"one", "a/b"};
  check_refused("figure f: a file name with '/'", [](changed& c) { c.figure.lens_files = files; });
}

BOOST_AUTO_TEST_CASE(lists_that_are_said_to_have_something_and_are_not_there_are_refused) {
  check_refused("table rows: columns should be 3", [](changed& c) { c.table.columns = nullptr; });
  check_refused("figure f: panels should be 1", [](changed& c) { c.figure.panels = nullptr; });
  check_refused("its tables should be 1", [](changed& c) { c.whole.tables = nullptr; });
}

BOOST_AUTO_TEST_CASE(structs_smaller_than_their_first_form_are_refused) {
  check_refused("table 0 is incomplete",
                [](changed& c) { c.table.size = offsetof(dlens_table, n_columns) + 4; });
  check_refused("figure 0 is incomplete",
                [](changed& c) { c.figure.size = offsetof(dlens_figure, lens_files); });
  check_refused("has an incomplete panel", [](changed& c) { c.panel.size = offsetof(dlens_panel, high); });
  check_refused("it describes nothing",
                [](changed& c) { c.whole.size = offsetof(dlens_description, n_tables); });
}

BOOST_AUTO_TEST_CASE(options_and_inputs_are_looked_at_when_a_plugin_is_loaded) {
  static const char* const kinds[] = {"prompt", nullptr};
  dlens_option option = make_option({.id = "scale", .type = DLENS_OPTION_F64, .fallback = "1"});
  dlens_input input = make_input("", kinds);
  const dlens_option* options[] = {&option, &option};
  const dlens_input* inputs[] = {&input};
  dlens_experiment e{.size = sizeof e,
                     .reserved = 0,
                     .options = options,
                     .n_options = 1,
                     .inputs = inputs,
                     .n_inputs = 1,
                     .study_create = nullptr};
  check_experiment(e);
  const auto refused = [&](const std::string& with) {
    test::check_fails([&] { check_experiment(e); }, status::internal, with);
  };
  e.n_options = 2;
  refused("two options are called scale");
  e.n_options = 1;
  option.fallback = "x";
  refused("option scale has the default x");
  option.min = 2, option.max = 3, option.fallback = "1";
  refused("option scale has the default 1");
  option.min = option.max = 0;
  option.type = 77;
  refused("option scale is of type 77");
  option.type = DLENS_OPTION_CHOICE;
  refused("option scale has no choices");
  option.type = DLENS_OPTION_I64;
  option.min = 0;
  option.max = 1;
  refused("option scale has bounds of a number and is none");
  option.max = 0;
  option.flags = 64;
  refused("option scale has the flag 64");
  option.flags = 0;
  option.reserved = 7;
  refused("option scale has 7 in a reserved place");
  option.reserved = 0;
  input.reserved = 7;
  refused("input 0 has 7 in a reserved place");
  input.reserved = 0;
  e.size = offsetof(dlens_experiment, study_create);
  refused("its experiment table is too small");
}

BOOST_AUTO_TEST_SUITE_END()
