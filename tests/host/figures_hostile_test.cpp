// SPDX-License-Identifier: Apache-2.0
// Texts that gnuplot or a shell would run, as model name, lens, title, label, series, word on an axis and
// folder: the figure is drawn, and the file that the text wants to make is not there.
#include "support/figures_files.hpp"

#include <boost/test/unit_test.hpp>

#include <depthlens/table/csv.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;
using boost::unit_test::precondition;

namespace {

// Ways to start `command`. All of them work in some place of a gnuplot script or a shell.
std::vector<std::string> attacks(const std::string& command) {
  const std::vector<std::string> calls = {"`" + command + "`",
                                          "$(" + command + ")",
                                          "system('" + command + "')",
                                          "system(\"" + command + "\")",
                                          "!" + command,
                                          "< " + command,
                                          "| " + command,
                                          "load '< " + command + "'"};
  const std::vector<std::string> wraps[] = {{"", ""},        {"'", ""},       {"\"", ""},
                                            {"'\n", "\n"},   {"\n", "\n"},    {"\r\n", "\r\n"},
                                            {"''", "''"},    {"\\'\n", ""},   {"'; ", "; '"},
                                            {"\"; ", ";\""}, {"\nEOD\n", ""}, {"\ne\n", "\n"},
                                            {"}\n", "\n{"},  {"@", "@"},      {"{/Bold ", "}"},
                                            {"\\\n", "\n"},  {"'.", ".'"},    {"\xE2\x80\xA8", "\xC2\x85"},
                                            {"\xC3", "'"},   {"#\n", "#"},    {"%s", "%d"},
                                            {"' . ", ". '"}, {"\t", "\v\f"},  {"\xED\xA0\x80", "\xFF"}};
  std::vector<std::string> out;
  for (const auto& wrap : wraps)
    for (const std::string& call : calls) out.push_back(wrap[0] + call + wrap[1]);
  out.push_back(std::string(1U << 20, '\'') + "\n!" + command + "\n");
  out.push_back(std::string(1U << 20, 'A') + "`" + command + "`");
  return out;
}

// CSV fields are UTF-8; there the broken bytes would be another test.
std::string for_csv(const std::string& text) { return utf8_replace_broken(text.substr(0, 5000)); }

// Takes the texts in turn, so that neighbours come into different places of one figure.
class dealer {
 public:
  dealer(const std::vector<std::string>& texts, std::size_t at) : texts_(texts), at_(at) {}
  const std::string& next() { return texts_[at_++ % texts_.size()]; }

 private:
  const std::vector<std::string>& texts_;
  std::size_t at_;
};

// A figure and its table with another text in every place where a text from outside can come.
struct hostile_figure {
  figure_spec figure;
  std::string csv;
  hostile_figure(dealer texts, figure_kind kind) : figure(simple_figure(kind)) {
    const std::string series = for_csv(texts.next());
    figure.title = texts.next();
    figure.series = figure.color = series;
    figure.panels.resize(2, figure.panels[0]);
    for (panel_spec& panel : figure.panels) {
      panel.title = texts.next();
      panel.x_label = texts.next();
      panel.y_label = texts.next();
    }
    if (kind == figure_kind::grouped_bars) {
      figure.panels[0].flags = DLENS_PANEL_PERCENT_Y;
      figure.panels[0].x = "word";
    }
    csv_writer out([&](std::string_view bytes) { csv += bytes; });
    out.row({series, "layer", "word", "y"});
    const std::string a = for_csv(texts.next()), b = for_csv(texts.next());
    out.row({a, "0", for_csv(texts.next()), "0.5"});
    out.row({a, "1", for_csv(texts.next()), "0.25"});
    out.row({b, "1", "other", "0.25"});
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(figures_hostile)

BOOST_AUTO_TEST_CASE(no_text_is_run, *precondition(with_gnuplot)) {
  const scratch_folder folder;
  const fs::path canary = folder.path() / "canary", plots = folder.path() / "plots";
  fs::create_directory(plots);
  const std::vector<std::string> texts = attacks("touch " + canary.string());
  BOOST_TEST(texts.size() >= 194U);
  constexpr std::array kinds = {figure_kind::lines, figure_kind::grouped_bars, figure_kind::density,
                                figure_kind::stacked_bars};
  for (std::size_t i = 0; i < texts.size(); i += 5) {
    const hostile_figure hostile(dealer(texts, i), kinds[i % 4]);
    const fs::path csv = folder.write("t.csv", hostile.csv);
    const figure_run run = {texts[i], texts[(i + 7) % texts.size()], 2, 1};
    const std::vector<std::string> formats = {all_formats[i % 3]};
    try {
      draw_figure(hostile.figure, run, csv, plots, "f", formats);
    } catch (const error& failure) {
      BOOST_ERROR("text " << i << ": " << texts[i].substr(0, 200) << ": " << failure.what());
    }
    BOOST_REQUIRE_MESSAGE(!fs::exists(canary),
                          "a text from " << i << " on was run: " << texts[i].substr(0, 200));
  }
  BOOST_TEST(names_in(plots) == (std::set<std::string>{"f.dat", "f.gp", "f.pdf", "f.png", "f.svg"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(no_folder_or_figure_name_is_run, *precondition(with_gnuplot)) {
  const scratch_folder folder;
  const fs::path csv = folder.write("t.csv", simple_csv);
  const std::vector<std::string> texts = attacks("touch canary");
  for (std::size_t i = 0; i < texts.size(); i += 9) {
    std::string name = texts[i].substr(0, 200);
    std::replace(name.begin(), name.end(), '/', '|');
    const fs::path plots = folder.path() / name;
    fs::create_directory(plots);
    draw_figure(simple_figure(figure_kind::lines), simple_run, csv, plots, "f",
                std::vector<std::string>{"svg"});
    BOOST_REQUIRE(names_in(plots) == (std::set<std::string>{"f.dat", "f.gp", "f.svg"}));
    std::string stem = name;  // as a figure's name, where it can be one
    for (char& c : stem)
      if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7F) c = '_';
    draw_figure(simple_figure(figure_kind::lines), simple_run, csv, plots, stem,
                std::vector<std::string>{"svg"});
    BOOST_REQUIRE(names_in(plots).size() == 6U);
    BOOST_REQUIRE(fs::exists(plots / (stem + ".svg")));
    fs::remove_all(plots);
  }
  BOOST_TEST(names_in(folder.path()) == (std::set<std::string>{"t.csv"}), boost::test_tools::per_element());
  BOOST_TEST(!fs::exists("canary"));
}

BOOST_AUTO_TEST_CASE(no_command_from_the_environment_is_run, *precondition(with_gnuplot)) {
  const scratch_folder folder;
  const fs::path csv = folder.write("t.csv", simple_csv);
  folder.write(".gnuplot", "system('touch " + (folder.path() / "canary").string() + "')\n");
  const changed_variable command("GNUPLOT_IOSTREAM_CMD", "touch " + (folder.path() / "canary").string());
  const changed_variable home("HOME", folder.path().string());
  draw_figure(simple_figure(figure_kind::lines), simple_run, csv, folder.path(), "f",
              std::vector<std::string>{"svg"});
  BOOST_TEST(fs::exists(folder.path() / "f.svg"));
  BOOST_TEST(!fs::exists(folder.path() / "canary"));
}

BOOST_AUTO_TEST_SUITE_END()
