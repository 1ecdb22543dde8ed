// SPDX-License-Identifier: Apache-2.0
#include "results/figures_of_run.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "figures/figure_spec.hpp"
#include "figures/gnuplot_process.hpp"
#include "figures/picture_check.hpp"
#include "results/output_digests.hpp"
#include "terminal/log.hpp"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

std::string required_text(const boost::json::object& o, const char* key) {
  if (std::optional<std::string> text = text_at(&o, key)) return *std::move(text);
  fail(status::data, "run.json: \"", key, "\" is missing or not a text");
}

std::uint64_t required_number(const boost::json::object& o, const char* key) {
  const auto* v = value_at(&o, key);
  if (v == nullptr || !v->is_number())
    fail(status::data, "run.json: \"", key, "\" is missing or not a number");
  if (const auto n = number_at(&o, key)) return *n;
  fail(status::data, "run.json: \"", key, "\" is not a whole number");
}

std::string required_file_name(const boost::json::object& o, const char* key) {
  const std::string name = required_text(o, key);
  if (!is_plain_file_name(name)) fail(status::data, "run.json: \"", key, "\" is not a plain file name");
  return name;
}

// "2 of 3 shards" where some are missing.
std::string part_of_run(const boost::json::object& manifest) {
  const auto* shards = object_at(&manifest, "shards");
  if (value_at(shards, "missing") == nullptr) return "";
  return cat(number_at(shards, "merged").value_or(0), " of ", number_at(shards, "of").value_or(0), " shards");
}

// A figure, and itself beside its control.
void add_figures(const fs::path& run, const boost::json::object& model, const boost::json::object& entry,
                 std::string_view name, const std::string& part, std::vector<run_figure>& to) {
  const fs::path csv = run / "data" / required_file_name(entry, "csv");
  if (!fs::exists(csv))
    fail(status::no_input, csv.string(), ": the table of figure ", name,
         " is missing; the command that made the run makes it again");
  const auto* spec = object_at(&entry, "figure");
  if (spec == nullptr) fail(status::data, "run.json: figure ", name, " has no description");
  run_figure d{.figure = figure_from_json(*spec),
               .about = {.model = required_text(model, "name"),
                         .lens = required_text(entry, "lens"),
                         .prompts = required_number(entry, "prompts"),
                         .n_layers = static_cast<unsigned>(required_number(model, "n_layers")),
                         .part = part},
               .csv = csv,
               .stem = required_file_name(entry, "stem"),
               .study = text_at(&entry, "study").value_or("")};
  to.push_back(d);
  if (!entry.contains("control") || d.figure.kind == figure_kind::density) return;
  d.about.control = run / "data" / required_file_name(entry, "control");
  if (const auto label = text_at(&entry, "control_label")) d.about.control_label = *label;
  d.stem += "_null";
  to.push_back(std::move(d));
}

constexpr const char* plots_folder = "plots/";

bool is_as_drawn(const fs::path& run, const boost::json::object& manifest, const run_figure& d,
                 std::vector<std::string> formats) {
  for (const char* beside : {"gp", "dat"}) formats.emplace_back(beside);
  return std::all_of(formats.begin(), formats.end(), [&](const std::string& f) {
    return state_of_output(manifest, run, plots_folder + d.stem + "." + f) == output_state::as_written;
  });
}

}  // namespace

bool lists_figures(const boost::json::object& manifest) {
  const auto* figures = object_at(&manifest, "figures");
  return figures != nullptr && !figures->empty();
}

std::vector<run_figure> figures_of(const fs::path& run, const boost::json::object& manifest,
                                   figure_choice choice) {
  if (!lists_figures(manifest))
    fail(status::no_input, run.string(), ": the run has no figures yet; it did not finish");
  const auto* model = object_at(&manifest, "model");
  if (model == nullptr) fail(status::data, "run.json: \"model\" is missing");
  std::vector<run_figure> out;
  for (const auto& [stem, value] : *object_at(&manifest, "figures")) {
    if (!value.is_object()) fail(status::data, "run.json: figure ", std::string_view(stem), " is no object");
    const bool wanted = choice == figure_choice::all || !value.get_object().contains("on_request");
    if (wanted) add_figures(run, *model, value.get_object(), stem, part_of_run(manifest), out);
  }
  std::set<std::string_view> stems;  // files of one name are written by one drawing
  for (const run_figure& d : out)
    if (!stems.insert(d.stem).second) fail(status::data, "run.json: two figures have the stem ", d.stem);
  return out;
}

std::vector<std::string> parse_formats(const std::string& list) {
  std::vector<std::string> out;
  std::istringstream parts(list);
  for (std::string part; std::getline(parts, part, ',');) {
    if (std::find(picture_formats.begin(), picture_formats.end(), part) == picture_formats.end())
      fail(status::usage, "--format ", visible_line(list), ": expected a list of png, svg, pdf and tikz");
    if (std::find(out.begin(), out.end(), part) == out.end()) out.push_back(part);
  }
  if (out.empty()) fail(status::usage, "--format is empty");
  return out;
}

std::vector<std::string> formats_to_draw(const fs::path& run, std::vector<std::string> asked) {
  std::error_code absent;
  for (const auto& item : fs::directory_iterator(run / "plots", absent))
    for (const std::string_view format : picture_formats)
      if (item.path().extension() == cat(".", format) &&
          std::find(asked.begin(), asked.end(), format) == asked.end())
        asked.emplace_back(format);
  return asked;
}

std::vector<std::string> tables_of_figures(const boost::json::object& manifest) {
  std::set<std::string> out;
  if (lists_figures(manifest))
    for (const auto& [stem, value] : *object_at(&manifest, "figures"))
      for (const char* key : {"csv", "control"})
        if (const auto name = text_at(value.if_object(), key)) out.insert("data/" + *name);
  return {out.begin(), out.end()};
}

std::vector<std::string> formats_noted(const boost::json::object& manifest) {
  std::set<std::string> out;
  for (const std::string& name : noted_outputs(manifest, plots_folder))
    for (const std::string_view format : picture_formats)
      if (fs::path(name).extension() == cat(".", format)) out.emplace(format);
  return {out.begin(), out.end()};
}

void note_figures(boost::json::object& manifest, const fs::path& run, const std::vector<fs::path>& pictures) {
  std::set<std::string> names;
  for (const fs::path& p : pictures)
    for (const fs::path& ending : {p.extension(), fs::path(".gp"), fs::path(".dat")})
      names.insert(plots_folder + p.stem().string() + ending.string());
  for (const std::string& name : names) note_output(manifest, run, name);
}

bool can_draw(std::string_view later) {
  const gnuplot_verdict gnuplot = check_gnuplot();
  if (gnuplot.state == gnuplot_state::usable) return true;
  const std::string what =
      cat(gnuplot.words, ": the tables are finished, the figures are not drawn; later: ", later);
  if (gnuplot.state == gnuplot_state::broken) fail(status::unavailable, what);
  log_warning(what);
  return false;
}

std::vector<std::string> edited_scripts(const fs::path& run, const boost::json::object& manifest) {
  std::vector<std::string> out;
  for (const run_figure& d : figures_of(run, manifest))
    if (const std::string name = plots_folder + d.stem + ".gp";
        state_of_output(manifest, run, name) == output_state::different)
      out.push_back(name);
  return out;
}

std::vector<fs::path> draw_figures(const fs::path& run, const boost::json::object& manifest,
                                   const drawing_request& request) {
  std::vector<run_figure> drawings = figures_of(run, manifest, request.choice);
  if (request.which == redraw::missing)
    std::erase_if(drawings,
                  [&](const run_figure& d) { return is_as_drawn(run, manifest, d, request.formats); });
  std::erase_if(drawings, [&](const run_figure& d) {
    return std::count(request.left.begin(), request.left.end(), plots_folder + d.stem + ".gp") > 0;
  });
  fs::create_directories(request.folder);
  std::vector<std::vector<fs::path>> pictures(drawings.size());
  tbb::parallel_for(
      std::size_t{0}, drawings.size(),
      [&](std::size_t i) {
        const run_figure& d = drawings[i];
        pictures[i] =
            draw_figure(d.figure, d.about, d.csv, request.folder, d.stem, request.formats, request.look);
      },
      tbb::simple_partitioner());
  std::vector<fs::path> out;
  for (const auto& of_one : pictures) out.insert(out.end(), of_one.begin(), of_one.end());
  return out;
}

std::optional<std::vector<fs::path>> draw_figures_if_any(const fs::path& run,
                                                         const boost::json::object& manifest,
                                                         const std::vector<std::string>& formats,
                                                         redraw which) {
  if (!lists_figures(manifest)) return std::nullopt;
  if (!can_draw("depthlens plot " + run.string())) return std::nullopt;
  return draw_figures(run, manifest, {.folder = run / "plots", .formats = formats, .which = which});
}

}  // namespace depthlens
