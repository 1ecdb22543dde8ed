// SPDX-License-Identifier: Apache-2.0
#include "report/page.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/json_members.hpp"
#include "html/html_text.hpp"
#include "html/page_head.hpp"
#include "report/figure_html.hpp"
#include "report/page_script.hpp"
#include "report/page_style.hpp"
#include "report/run_facts.hpp"
#include "report/table_html.hpp"
#include "results/figures_of_run.hpp"
#include "results/manifest.hpp"
#include "results/output_digests.hpp"
#include "version.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <set>
#include <string_view>
#include <utility>

namespace depthlens {
namespace {

namespace fs = std::filesystem;
using object = boost::json::object;
using texts = std::vector<std::string>;

template <std::size_t N>
std::string joined(const std::array<std::string_view, N>& parts) {
  std::string out;
  for (const std::string_view part : parts) out += part;
  return out;
}

std::string list_of(const texts& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

// The names listed for a study, each once.
texts tables_of_study(const object& by_study, std::string_view study) {
  texts out;
  const auto* const lenses = object_at(&by_study, study);
  if (lenses == nullptr) return out;
  for (const auto& [lens, names] : *lenses) {
    if (!names.is_array()) continue;
    for (const boost::json::value& name : names.get_array()) {
      if (!name.is_string() || !is_plain_file_name(name.get_string()))
        fail(status::data, "run.json: \"summary_tables\" holds what is no plain file name");
      const std::string text(name.get_string());
      if (std::find(out.begin(), out.end(), text) == out.end()) out.push_back(text);
    }
  }
  return out;
}

// An experiment: its figures, and its summary tables.
struct study_part {
  std::string word;
  std::vector<run_figure> figures;
  texts tables;
};

std::vector<study_part> parts_of(const fs::path& run, const object& manifest) {
  std::vector<study_part> out;
  for (const std::string& word : studies_of(manifest))
    out.push_back({.word = word, .figures = {}, .tables = {}});
  const auto part_of = [&](const std::string& word) -> study_part& {
    const auto found =
        std::find_if(out.begin(), out.end(), [&](const study_part& p) { return p.word == word; });
    return found != out.end() ? *found
                              : out.emplace_back(study_part{.word = word, .figures = {}, .tables = {}});
  };
  if (lists_figures(manifest))
    for (run_figure& figure : figures_of(run, manifest)) {
      study_part& part = part_of(figure.study);
      // Shown where run.json lists no summary tables of the experiment.
      if (const std::string csv = figure.csv.filename();
          std::find(part.tables.begin(), part.tables.end(), csv) == part.tables.end())
        part.tables.push_back(csv);
      part.figures.push_back(std::move(figure));
    }
  if (const auto* listed = object_at(&manifest, "summary_tables"))
    for (study_part& part : out)
      if (listed->contains(part.word)) part.tables = tables_of_study(*listed, part.word);
  return out;
}

std::string headline_of(const object& manifest) {
  texts lenses;
  if (const auto* all = object_at(&manifest, "lenses"))
    for (const auto& [label, about] : *all) lenses.emplace_back(label);
  std::string out = list_of(studies_of(manifest));
  if (!lenses.empty()) out += cat("; ", lenses.size() == 1 ? "lens " : "lenses ", list_of(lenses));
  return out + "; depthlens " + text_at(&manifest, "depthlens").value_or("of an unknown version");
}

// "llama, 30 layers; cpu, f32"
std::string words_about_model(const object& manifest) {
  const auto* const model = object_at(&manifest, "model");
  const auto* const key = object_at(&manifest, "key");
  texts words;
  if (const auto family = text_at(model, "architecture")) words.push_back(*family);
  if (const auto layers = number_at(model, "n_layers")) words.push_back(cat(*layers, " layers"));
  for (const char* setting : {"backend", "precision"})
    if (const auto text = text_at(key, setting)) words.push_back(*text);
  return list_of(words);
}

class page_builder {
 public:
  page_builder(const fs::path& run, const object& manifest, const texts& altered)
      : run_(run),
        manifest_(manifest),
        altered_(altered),
        model_(text_at(object_at(&manifest, "model"), "name").value_or("A model")) {}

  std::string build() {
    const std::vector<study_part> parts = parts_of(run_, manifest_);
    head();
    header(parts);
    add("<main>\n");
    notices();
    add(data_html(manifest_));
    for (std::size_t i = 0; i < parts.size(); ++i) study(parts[i], i);
    about_run();
    add("</main>\n<footer class=\"soft\"><p>Written by depthlens report ", DEPTHLENS_VERSION,
        " from the folder of a run. It holds all it shows and asks no network.</p></footer>\n",
        "<div id=\"tip\" hidden></div>\n<p id=\"said\" class=\"unseen\" aria-live=\"polite\"></p>\n<script>",
        joined(page_scripts), "</script>\n</body>\n</html>\n");
    return std::move(out_);
  }

 private:
  template <class... Parts>
  void add(Parts&&... parts) {
    ((out_ += std::forward<Parts>(parts)), ...);
  }

  void head() {
    const std::string title =
        cat(html_text(model_, 100), ": ", html_text(list_of(studies_of(manifest_)), 100));
    add(page_head(title, joined(page_styles), joined(page_scripts)));
  }

  void header(const std::vector<study_part>& parts) {
    add("<body>\n<header>\n<div><h1>", isolated(model_), "</h1>\n<p class=\"soft\">",
        html_text(headline_of(manifest_)), "<br>", html_text(words_about_model(manifest_)),
        "</p></div>\n<button id=\"theme\" type=\"button\" aria-pressed=\"false\" hidden>Dark</button>\n"
        "</header>\n<nav aria-label=\"Contents\"><ul>\n");
    for (std::size_t i = 0; i < parts.size(); ++i)
      add("<li><a href=\"#study-", std::to_string(i), "\">", isolated(parts[i].word), "</a></li>\n");
    add("<li><a href=\"#run\">The run</a></li>\n</ul></nav>\n");
  }

  void notices() {
    if (const auto* shards = object_at(&manifest_, "shards"); value_at(shards, "missing") != nullptr)
      add("<p class=\"notice\">Of a part of the run: ", cat(number_at(shards, "merged").value_or(0)), " of ",
          cat(number_at(shards, "of").value_or(0)), " shards.</p>\n");
    if (!altered_.empty())
      add("<p class=\"notice\">Not as the run wrote them, and shown as they were when this page was made: ",
          html_text(names_for_people(altered_)), ".</p>\n");
  }

  void study(const study_part& part, std::size_t number) {
    const std::string id = "study-" + std::to_string(number);
    add("<section aria-labelledby=\"", id, "\">\n<h2 id=\"", id, "\">", isolated(part.word), "</h2>\n");
    for (const run_figure& figure : part.figures)
      add(figure_html(figure, "figure-" + std::to_string(++figures_)));
    if (!part.tables.empty()) add("<h3>Summary tables</h3>\n");
    for (const std::string& table : part.tables) add(table_html(run_ / "data" / table));
    if (part.figures.empty() && part.tables.empty())
      add("<p>It has neither figures nor summary tables.</p>\n");
    add("</section>\n");
  }

  void about_run() {
    add("<section aria-labelledby=\"run\">\n<h2 id=\"run\">The run</h2>\n<h3>The same again</h3>\n",
        commands_html(manifest_), "<details><summary>Model and settings</summary>\n",
        settings_html(manifest_), "</details>\n", "<details><summary>Checksums</summary>\n",
        checksums_html(manifest_), "</details>\n</section>\n");
  }

  const fs::path& run_;
  const object& manifest_;
  const texts& altered_;
  const std::string model_;
  std::size_t figures_ = 0;
  std::string out_;
};

}  // namespace

std::vector<std::string> summary_tables(const object& manifest) {
  std::set<std::string> out;
  if (const auto* listed = object_at(&manifest, "summary_tables"))
    for (const auto& [study, lenses] : *listed)
      for (const std::string& name : tables_of_study(*listed, study)) out.insert("data/" + name);
  for (const std::string& name : tables_of_figures(manifest)) out.insert(name);
  return {out.begin(), out.end()};
}

std::string page_html(const fs::path& run, const object& manifest, const std::vector<std::string>& altered) {
  return page_builder(run, manifest, altered).build();
}

}  // namespace depthlens
