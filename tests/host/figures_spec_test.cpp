// SPDX-License-Identifier: Apache-2.0
// Figure descriptions from a plugin, into run.json and back, and what is refused.
#include "figures/figure_spec.hpp"

#include "support/data_files.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <string>

using namespace depthlens;
using depthlens::test::check_fails;

namespace {

struct c_figure {
  dlens_panel first{sizeof first,
                    DLENS_PANEL_LAYER_X | DLENS_PANEL_LOG_Y,
                    "First crossing",
                    "mean_first",
                    "k",
                    "Layer",
                    "Rank",
                    nullptr};
  dlens_panel second{sizeof second, 0, nullptr, "x", "y", nullptr, nullptr, "lens=tuned=a"};
  const dlens_panel* panels[2] = {&first, &second};
  dlens_figure figure{sizeof figure,
                      DLENS_FIGURE_LINES,
                      "earliest",
                      "earliest_{lens}",
                      "Earliest layer",
                      "summary",
                      "category",
                      nullptr,
                      "form",
                      "n",
                      "never",
                      panels,
                      2};
};

figure_spec parse(const std::string& text) { return figure_from_json(boost::json::parse(text).as_object()); }

// A good figure with one part replaced.
std::string with(const std::string& from, const std::string& to) {
  std::string text =
      R"({"id":"f","kind":"lines","file":"f_{lens}","table":"t","panels":[{"x":"a","y":"b"}]})";
  const std::size_t at = text.find(from);
  BOOST_REQUIRE(at != text.npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(figures_spec)

BOOST_AUTO_TEST_CASE(a_plugins_figure_is_copied_and_null_becomes_empty) {
  const figure_spec figure = from_abi(c_figure().figure);
  BOOST_TEST((figure.kind == figure_kind::lines));
  BOOST_TEST(figure.file == "earliest_{lens}");
  BOOST_TEST(figure.color == "");
  BOOST_TEST(figure.dash == "form");
  BOOST_REQUIRE(figure.panels.size() == 2U);
  BOOST_TEST(figure.panels[0].has(DLENS_PANEL_LOG_Y));
  BOOST_TEST(!figure.panels[0].has(DLENS_PANEL_LOG_X));
  BOOST_TEST(figure.panels[1].title == "");
  BOOST_TEST(figure.panels[1].where == "lens=tuned=a");
}

BOOST_AUTO_TEST_CASE(json_is_readable_and_reads_back_as_the_same_figure) {
  const figure_spec figure = from_abi(c_figure().figure);
  const std::string text = boost::json::serialize(to_json(figure));
  BOOST_TEST(
      text ==
      R"({"id":"earliest","kind":"lines","file":"earliest_{lens}",)"
      R"("title":"Earliest layer","table":"summary",)"
      R"("series":"category","dash":"form","count":"n","never":"never","panels":[{"title":"First crossing",)"
      R"("x":"mean_first","y":"k","x_label":"Layer","y_label":"Rank","flags":["log_y","layer_x"]},)"
      R"({"x":"x","y":"y","where":"lens=tuned=a"}]})");
  BOOST_TEST((parse(text) == figure));
}

BOOST_AUTO_TEST_CASE(every_kind_and_flag_reads_back) {
  for (std::uint32_t kind = 1; kind <= 4; ++kind)
    for (std::uint32_t flags = 0; flags < 64; ++flags) {
      c_figure c;
      c.figure.kind = kind;
      c.figure.n_panels = 1;
      c.first.flags = flags;
      if (kind == DLENS_FIGURE_DENSITY) c.first.y = nullptr;
      const bool conflict = (flags & 9) == 9 || (flags & 6) == 6;
      if (conflict) {
        check_fails([&] { from_abi(c.figure); }, status::internal, "exclude each other");
      } else {
        const figure_spec figure = from_abi(c.figure);
        BOOST_TEST((figure_from_json(to_json(figure)) == figure));
      }
    }
}

BOOST_AUTO_TEST_CASE(a_plugin_that_breaks_the_rules_is_named) {
  const auto refused = [](auto change, const char* why) {
    c_figure c;
    change(c);
    check_fails([&] { from_abi(c.figure); }, status::internal, "figure \"earliest\"", why);
  };
  refused([](c_figure& c) { c.figure.kind = 5; }, "unknown kind 5");
  refused([](c_figure& c) { c.figure.file = nullptr; }, "file");
  refused([](c_figure& c) { c.figure.n_panels = 0; }, "0 panels");
  refused([](c_figure& c) { c.panels[1] = nullptr; }, "NULL");
  refused([](c_figure& c) { c.first.flags = 128; }, "unknown flags 128");
  refused([](c_figure& c) { c.first.x = nullptr; }, "no x column");
  refused([](c_figure& c) { c.first.y = nullptr; }, "y column");
  refused([](c_figure& c) { c.figure.kind = DLENS_FIGURE_DENSITY; }, "y column");
  refused([](c_figure& c) { c.second.where = "lens"; }, "column=value");
  refused([](c_figure& c) { c.second.where = "=tuned"; }, "column=value");
}

BOOST_AUTO_TEST_CASE(an_edited_run_json_is_refused_with_what_was_expected) {
  BOOST_TEST(parse(with("\"f\"", "\"f\"")).id == "f");
  const auto refused = [](const std::string& from, const std::string& to, const char* a, const char* b) {
    check_fails([&] { parse(with(from, to)); }, status::data, "figure \"f\"", a, b);
  };
  refused("\"lines\"", "\"pie\"", "\"pie\"", "lines, stacked_bars, grouped_bars, density");
  refused("\"lines\"", "7", "\"kind\"", "no string");
  refused("\"f_{lens}\"", "\"\"", "file", "empty");
  refused("[{\"x\":\"a\",\"y\":\"b\"}]", "{}", "\"panels\"", "no list");
  refused("[{\"x\":\"a\",\"y\":\"b\"}]", "[]", "0 panels", "expected 1 to 24");
  refused("[{\"x\":\"a\",\"y\":\"b\"}]", "[1]", "\"panels\"", "objects");
  refused("\"y\":\"b\"", "\"y\":[]", "panel 0", "\"y\" is no string");
  refused("\"y\":\"b\"", "\"z\":\"b\"", "y column", "");
  refused("\"y\":\"b\"", "\"y\":\"b\",\"flags\":\"log_x\"", "panel 0", "\"flags\" is no list");
  refused("\"y\":\"b\"", "\"y\":\"b\",\"flags\":[1]", "panel 0", "strings");
  refused("\"y\":\"b\"", "\"y\":\"b\",\"flags\":[\"log\"]", "\"log\"", "log_x, log_y");
  refused("\"y\":\"b\"", "\"y\":\"b\",\"where\":\"k\"", "\"k\"", "column=value");
  check_fails([] { parse("{}"); }, status::data, "kind");
}

BOOST_AUTO_TEST_SUITE_END()
