// SPDX-License-Identifier: Apache-2.0
#include "run/listed_outputs.hpp"

#include "figures/figure_spec.hpp"
#include "results/manifest.hpp"

#include <algorithm>
#include <map>
#include <span>
#include <string_view>
#include <utility>

namespace depthlens {

namespace fs = std::filesystem;

void list_figures(const outputs_of_lens& o, boost::json::object& manifest) {
  if (o.lenses.is_null(o.lens)) return;
  const dlens_description& d = o.study.description();
  const std::string& label = o.context.lens_labels[o.lens];
  if (!manifest["figures"].is_object()) manifest["figures"].emplace_object();
  boost::json::object& figures = manifest["figures"].get_object();
  for (const dlens_figure* figure : o.study.figures()) {
    const dlens_figure& f = *figure;
    const std::string stem = file_stem(study_session::file_of(f, o.lens), label, o.context.name);
    const bool not_of_logit = (f.flags & DLENS_DRAW_TRAINED_LENS) != 0 && o.lenses.has_tuned();
    // One that is listed already was drawn when the run had no tuned lens, and stays.
    if (not_of_logit && !o.lenses.is_trained(o.lens) && !figures.contains(stem)) continue;
    const auto table = std::find_if(d.tables, d.tables + d.n_tables,
                                    [&](const dlens_table* t) { return std::string_view(t->id) == f.table; });
    // What no lens changes is drawn once.
    const bool of_no_lens = ((*table)->flags & DLENS_TABLE_SHARED) != 0;
    if (of_no_lens && o.lens > 0) continue;
    boost::json::object entry;
    entry["study"] = o.study.word();
    entry["lens"] = of_no_lens ? "" : label;
    entry["stem"] = stem;
    entry["csv"] = file_stem((*table)->file, label, o.context.name) + ".csv";
    if (const auto control = o.lenses.null_of(o.lens); control && !of_no_lens) {
      entry["control"] = file_stem((*table)->file, o.context.lens_labels[*control], o.context.name) + ".csv";
      entry["control_label"] = o.lenses.control_label();
    }
    const auto prompts = o.done.prompts.find(f.id);
    entry["prompts"] = prompts == o.done.prompts.end() ? 0 : prompts->second;
    if ((f.flags & DLENS_DRAW_ON_REQUEST) != 0) entry["on_request"] = true;
    entry["figure"] = to_json(from_abi(f));
    figures[stem] = std::move(entry);
  }
}

void check_file_names(const std::vector<std::unique_ptr<study_session>>& studies,
                      const run_context& context) {
  struct owner {
    const void* of;  // table or figure
    std::string lens;
    bool operator==(const owner&) const = default;
  };
  std::map<std::string, owner> owners;
  const auto claim = [&](const char* form, const void* of, const std::string& lens, const char* ending) {
    const bool by_lens = file_stem(form, "a", "") != file_stem(form, "b", "");
    const std::string name = file_stem(form, lens, context.name) + ending;
    const owner mine{of, by_lens ? lens : ""};
    if (const auto [at, fresh] = owners.try_emplace(name, mine); !fresh && at->second != mine)
      fail(status::usage, "two results of this run would be called ", name,
           "; give a data set or a lens another name");
  };
  for (const auto& s : studies)
    for (std::size_t i = 0; i < context.lens_labels.size(); ++i) {
      const std::string& lens = context.lens_labels[i];
      const dlens_description& d = s->description();
      for (const dlens_table* t : std::span(d.tables, d.n_tables)) claim(t->file, t, lens, ".csv");
      for (const dlens_figure* f : s->figures()) claim(study_session::file_of(*f, i), f, lens, "");
    }
}

void refuse_unlisted_files(const run_folder& folder) {
  for (const auto& [part, ending] : {std::pair{"data", ".csv"}, {"log", ".log"}})
    for (const auto& item : fs::directory_iterator(folder.root() / part))
      if (item.path().extension() == ending)
        fail(status::config, folder.root().string(), " has no run.json but ", part, "/",
             item.path().filename().string(), "; choose another --out, or --fresh to move it aside");
}

void list_limits(const std::vector<std::unique_ptr<study_session>>& studies, boost::json::object& manifest) {
  boost::json::object data;
  for (const auto& s : studies) {
    boost::json::object& sets = data[s->word()].emplace_object();
    for (const dataset_plan& d : s->plan().datasets)
      sets[d.set] = {{"limit", std::min(d.records, s->limit_of(d))}};
  }
  merge_into(manifest, {{"data", std::move(data)}});
}

std::optional<std::vector<std::string>> tables_of(const boost::json::object& manifest,
                                                  const std::string& study, const std::string& lens) {
  const auto* files = array_at(object_at(object_at(&manifest, "tables"), study), lens);
  if (files == nullptr) return std::nullopt;
  std::vector<std::string> out;
  for (const auto& f : *files) {
    if (!f.is_string()) return std::nullopt;
    out.push_back("data/" + std::string(f.get_string()));
  }
  return out;
}

bool tables_complete(const boost::json::object& manifest,
                     const std::vector<std::unique_ptr<study_session>>& studies,
                     const std::vector<std::string>& lens_labels) {
  if (!is_complete(manifest)) return false;
  const auto* noted = object_at(&manifest, "outputs");
  for (const auto& s : studies)
    for (const std::string& label : lens_labels) {
      const auto tables = tables_of(manifest, s->word(), label);
      if (!tables) return false;
      for (const std::string& t : *tables)
        if (!object_at(noted, t)) return false;
    }
  return true;
}

std::string model_name_in(const boost::json::object& manifest) {
  return text_at(object_at(&manifest, "model"), "name").value_or("");
}

}  // namespace depthlens
