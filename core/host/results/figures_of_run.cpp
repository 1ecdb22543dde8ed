// SPDX-License-Identifier: Apache-2.0
#include "results/figures_of_run.hpp"

#include "depthlens/error.hpp"
#include "figures/figure_spec.hpp"

#include <algorithm>
#include <sstream>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

std::string text_at(const boost::json::object& o, const char* key) {
  const auto* v = o.if_contains(key);
  if (v == nullptr || !v->is_string()) fail(status::data, "run.json: \"", key, "\" is missing or not a text");
  return std::string(v->get_string());
}

std::uint64_t number_at(const boost::json::object& o, const char* key) {
  const auto* v = o.if_contains(key);
  if (v == nullptr || !v->is_number())
    fail(status::data, "run.json: \"", key, "\" is missing or not a number");
  boost::system::error_code code;
  const auto n = v->to_number<std::uint64_t>(code);
  if (code) fail(status::data, "run.json: \"", key, "\" is not a whole number");
  return n;
}

// run.json may have been edited: names lead nowhere but into the run's own folders.
std::string file_name_at(const boost::json::object& o, const char* key) {
  const std::string name = text_at(o, key);
  if (name.empty() || name.front() == '.' || name.find('/') != std::string::npos)
    fail(status::data, "run.json: \"", key, "\" is not a plain file name");
  return name;
}

}  // namespace

std::vector<std::string> parse_formats(const std::string& list) {
  std::vector<std::string> out;
  std::istringstream parts(list);
  for (std::string part; std::getline(parts, part, ',');) {
    if (part != "png" && part != "svg" && part != "pdf")
      fail(status::usage, "--format ", list, ": expected a list of png, svg and pdf");
    if (std::find(out.begin(), out.end(), part) == out.end()) out.push_back(part);
  }
  if (out.empty()) fail(status::usage, "--format is empty");
  return out;
}

std::vector<fs::path> draw_figures(const fs::path& run, const boost::json::object& manifest,
                                   const std::vector<std::string>& formats) {
  std::vector<fs::path> out;
  const auto* figures = manifest.if_contains("figures");
  if (figures == nullptr || !figures->is_object() || figures->get_object().empty())
    fail(status::no_input, run.string(), ": the run has no figures yet; it did not finish");
  const auto* model = manifest.if_contains("model");
  if (model == nullptr || !model->is_object()) fail(status::data, "run.json: \"model\" is missing");
  fs::create_directories(run / "plots");
  for (const auto& [stem, value] : figures->get_object()) {
    if (!value.is_object()) fail(status::data, "run.json: figure ", std::string_view(stem), " is no object");
    const boost::json::object& entry = value.get_object();
    const fs::path csv = run / "data" / file_name_at(entry, "csv");
    if (!fs::exists(csv))
      fail(status::no_input, csv.string(), ": the table of figure ", std::string_view(stem), " is missing");
    const auto* spec = entry.if_contains("figure");
    if (spec == nullptr || !spec->is_object())
      fail(status::data, "run.json: figure ", std::string_view(stem), " has no description");
    figure_run about{text_at(model->get_object(), "name"), text_at(entry, "lens"),
                     number_at(entry, "prompts"),
                     static_cast<unsigned>(number_at(model->get_object(), "n_layers"))};
    const auto pictures = draw_figure(figure_from_json(spec->get_object()), about, csv, run / "plots",
                                      file_name_at(entry, "stem"), formats);
    out.insert(out.end(), pictures.begin(), pictures.end());
    const figure_spec figure = figure_from_json(spec->get_object());
    if (!entry.contains("control") || figure.kind == figure_kind::density) continue;
    about.control = run / "data" / file_name_at(entry, "control");
    const auto beside =
        draw_figure(figure, about, csv, run / "plots", file_name_at(entry, "stem") + "_null", formats);
    out.insert(out.end(), beside.begin(), beside.end());
  }
  return out;
}

}  // namespace depthlens
