// SPDX-License-Identifier: Apache-2.0
// Figures for LaTeX: every text is escaped, and the picture is whole and the same each time.
#include "figures/picture_check.hpp"
#include "figures/tex_text.hpp"
#include "support/figures_files.hpp"

#include <boost/test/unit_test.hpp>

#include <regex>

using namespace depthlens;
using namespace depthlens::test;
namespace fs = std::filesystem;
using boost::unit_test::precondition;

namespace {

const std::vector<std::string> tex_attacks = {"\\input{/etc/passwd}",
                                              "}\\write18{touch canary}{",
                                              "^^5cinput x",
                                              "% all is a comment",
                                              "$$",
                                              "a\\",
                                              "{{{",
                                              "}}}",
                                              "~^_#&%$|<>`",
                                              "\\end{tikzpicture}",
                                              "[fill=red] x",
                                              std::string(600, '\\'),
                                              std::string(600, '%'),
                                              "-- ---",
                                              "'\"`",
                                              "100 % of 50\\%"};

std::string drawn(const scratch_folder& folder, const figure_spec& figure, const figure_run& run,
                  const std::string& csv = simple_csv) {
  return read_bytes(draw_figure(figure, run, folder.write("t.csv", csv), folder.path(), "f",
                                std::vector<std::string>{"tikz"})
                        .front());
}

// What stands in the nodes of a picture, from its brace to the one before the semicolon.
std::vector<std::string> texts_of(const std::string& picture) {
  std::vector<std::string> out;
  const std::regex node(R"(\\node\[[^\n]*\] at \([0-9.,-]+\) \{(.*)\};)");
  for (std::sregex_iterator at(picture.begin(), picture.end(), node), end; at != end; ++at)
    out.push_back((*at)[1]);
  return out;
}

// Is it made of letters, and of commands that only show a character?
bool is_escaped(const std::string& text) {
  static const std::regex command(
      R"(\\text[a-z]+\{\}|\\[{}$&#_%]|\\guillemot(left|right)\{\}|\\ldots\{\}|-\{\}|)"
      R"(\$(\\[a-z]+|-)\$|\{\\fboxsep0pt\\fbox\{\\rule\{0pt\}\{1\.2ex\}\\rule\{0\.9ex\}\{0pt\}\}\})");
  return std::regex_replace(text, command, "").find_first_of("\\{}$&#_%^~|<>`") == std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(figures_tikz)

BOOST_AUTO_TEST_CASE(a_text_for_tex_shows_what_the_text_is) {
  BOOST_TEST(tex_text("Q4_1, 95 % of {a}") == "Q4\\_1, 95 \\% of \\{a\\}");
  BOOST_TEST(tex_text("\\x^2~") == "\\textbackslash{}x\\textasciicircum{}2\\textasciitilde{}");
  BOOST_TEST(tex_text("caf\u00e9 \u2264 3 \u00b1 1, a--b") == "caf\u00e9 $\\leq$ 3 $\\pm$ 1, a-{}-{}b");
  const std::string square = "{\\fboxsep0pt\\fbox{\\rule{0pt}{1.2ex}\\rule{0.9ex}{0pt}}}";
  BOOST_TEST(tex_text("\u4e2d\xFF\u0127") == square + square + square);
}

BOOST_AUTO_TEST_CASE(a_figure_of_every_kind_is_a_whole_picture_and_the_same_each_time,
                     *precondition(with_gnuplot)) {
  const scratch_folder folder;
  for (const figure_kind kind :
       {figure_kind::lines, figure_kind::stacked_bars, figure_kind::grouped_bars, figure_kind::density}) {
    figure_spec figure = simple_figure(kind);
    if (kind != figure_kind::stacked_bars) figure.panels.resize(2, figure.panels[0]);
    const std::string picture = drawn(folder, figure, simple_run);
    BOOST_TEST(picture_fault("tikz", picture) == "");
    for (std::size_t n = 0; n + 20 < picture.size(); n += 97)
      BOOST_TEST(picture_fault("tikz", picture.substr(0, n)) != "", "of " << n << " bytes");
    BOOST_TEST(picture.find("generated with") == picture.npos);  // nor when
    BOOST_TEST(picture.find("\\usepackage{gnuplot-lua-tikz}") != picture.npos);
    BOOST_TEST(texts_of(picture).size() > 6U);
    if (kind == figure_kind::lines) BOOST_TEST(picture.find("{100\\%}") != picture.npos);
    if (kind == figure_kind::stacked_bars) BOOST_TEST(picture.find("{75.0\\%}") != picture.npos);
    BOOST_TEST((drawn(folder, figure, simple_run) == picture));
  }
}

BOOST_AUTO_TEST_CASE(no_text_is_a_command_of_tex, *precondition(with_gnuplot)) {
  const scratch_folder folder;
  for (const std::string& text : tex_attacks) {
    figure_spec figure = simple_figure(figure_kind::lines);
    figure.title = figure.panels[0].title = figure.panels[0].x_label = figure.panels[0].y_label = text;
    figure_run run = simple_run;
    run.model = text;
    std::string quoted;
    for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
    const std::string picture =
        drawn(folder, figure, run, "category,layer,y\n\"" + quoted + "\",0,0.5\nb,1,1\n");
    BOOST_TEST(picture_fault("tikz", picture) == "", text);
    std::size_t shown = 0;
    for (const std::string& t : texts_of(picture)) {
      BOOST_TEST(is_escaped(t), text << ": " << t);
      shown += t.find(tex_text(text.substr(0, 5))) != t.npos ? 1 : 0;
    }
    BOOST_TEST(shown >= 4U, text);  // title, both labels, the series
    BOOST_TEST(picture.find("\\input") == picture.npos);
  }
}

BOOST_AUTO_TEST_SUITE_END()
