// SPDX-License-Identifier: Apache-2.0
#include "comparison/compared_run.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/io_error.hpp"
#include "depthlens/base/text.hpp"
#include "results/manifest.hpp"

#include <algorithm>
#include <utility>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

// What is deeper cannot be a model's, and sums are kept for every layer.
constexpr unsigned most_layers = 4096;

boost::json::object read_manifest(const fs::path& folder) {
  if (!input_is_folder(folder)) fail(status::no_input, folder.string(), ": no such folder");
  manifest m = manifest::read(folder / "run.json");
  if (m.empty()) fail(status::no_input, folder.string(), ": no run.json; give the folder of a depthlens run");
  return std::move(m.fields);
}

std::vector<run_figure> own_figures(const fs::path& folder, const boost::json::object& manifest) {
  std::vector<run_figure> out;
  try {
    out = figures_of(folder, manifest);
  } catch (const error& e) {  // which of the files?
    if (!std::string_view(e.what()).starts_with("run.json")) throw;
    throw error(e.code(), (folder / e.what()).string());
  }
  std::erase_if(out, [](const run_figure& d) { return !d.about.control.empty(); });
  return out;
}

compared_run open_run(const fs::path& folder) {
  compared_run out{
      .folder = folder, .manifest = read_manifest(folder), .label = "", .model = "", .figures = {}};
  out.figures = own_figures(folder, out.manifest);
  out.model = out.figures.at(0).about.model;
  out.n_layers = out.figures[0].about.n_layers;
  if (out.n_layers == 0 || out.n_layers > most_layers)
    fail(status::data, (folder / "run.json").string(), ": \"n_layers\" of the model is ", out.n_layers,
         ", expected 1 to ", most_layers);
  return out;
}

const boost::json::object* key_of(const compared_run& run) { return object_at(&run.manifest, "key"); }

bool is_control(const compared_run& run, const std::string& lens) {
  return value_at(object_at(object_at(&run.manifest, "lenses"), lens), "control_of") != nullptr;
}

}  // namespace

std::string compared_run::key_text(const char* member) const {
  return text_at(key_of(*this), member).value_or("");
}

const boost::json::object* compared_run::study_key(const std::string& study) const {
  return object_at(object_at(key_of(*this), "studies"), study);
}

std::set<std::string> compared_run::studies() const {
  std::set<std::string> out;
  if (const auto* all = object_at(&manifest, "tables"))
    for (const auto& study : *all) out.emplace(study.key());
  return out;
}

std::vector<std::string> compared_run::lenses_and_controls(const std::string& study) const {
  std::vector<std::string> out;
  if (const auto* all = object_at(object_at(&manifest, "tables"), study))
    for (const auto& lens : *all) out.emplace_back(lens.key());
  return out;
}

std::vector<std::string> compared_run::lenses(const std::string& study) const {
  std::vector<std::string> out = lenses_and_controls(study);
  std::erase_if(out, [this](const std::string& lens) { return is_control(*this, lens); });
  return out;
}

std::vector<std::string> compared_run::tables(const std::string& study, const std::string& lens) const {
  std::vector<std::string> out;
  const auto* names = array_at(object_at(object_at(&manifest, "tables"), study), lens);
  if (names == nullptr) return out;
  for (const boost::json::value& v : *names) {
    const std::string name = v.is_string() ? std::string(v.get_string()) : "";
    if (!is_plain_file_name(name))
      fail(status::data, (folder / "run.json").string(), ": table ", printable(name),
           " is not a plain file name");
    out.push_back(name);
  }
  return out;
}

std::vector<compared_run> open_runs(std::span<const fs::path> folders) {
  std::vector<compared_run> out;
  std::vector<fs::path> places;
  for (const fs::path& folder : folders) {
    out.push_back(open_run(folder));
    const fs::path place = fs::canonical(folder);
    if (std::find(places.begin(), places.end(), place) != places.end())
      fail(status::usage, folder.string(), " is given twice; give the folders of different runs");
    places.push_back(place);
  }
  return out;
}

}  // namespace depthlens
