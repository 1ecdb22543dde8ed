// SPDX-License-Identifier: Apache-2.0
#include "comparison/divergence_table.hpp"

#include "comparison/mean_cells.hpp"
#include "comparison/paired_divergence.hpp"
#include "depthlens/base/atomic_file.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "depthlens/table/csv.hpp"
#include "figures/draw.hpp"

#include <algorithm>
#include <memory>
#include <sstream>
#include <utility>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

// A path that does not begin at the root is one of the folder in which the run was made.
fs::path model_path(const compared_run& run) {
  fs::path named = from_visible(text_at(object_at(&run.manifest, "model"), "path").value_or(""));
  if (named.empty())
    fail(status::data, (run.folder / "run.json").string(), ": does not say where the model is");
  if (named.is_relative())
    if (const auto* commands = object_at(&run.manifest, "commands"))
      for (const auto& entry : *commands)
        if (const auto folder = text_at(entry.value().if_object(), "folder"))
          if (fs::exists(fs::path(from_visible(*folder)) / named))
            return fs::path(from_visible(*folder)) / named;
  if (!fs::exists(named))
    fail(status::no_input, run.folder.string(), ": its model is not at ", named.string(),
         " any more; put it there, or leave out --kl");
  return named;
}

// The model of a run, as run.json has it.
std::unique_ptr<const model_files> open_model_of(const compared_run& run) {
  const fs::path path = model_path(run);
  config_policy policy;
  std::istringstream keys(run.key_text("ignore_config"));
  for (std::string key; std::getline(keys, key, ',');) policy.ignored.push_back(key);
  auto out = std::make_unique<const model_files>(model_files::open(path, policy));
  if (out->content_hash() != run.key_text("model_sha256"))
    fail(status::config, path.string(), ": is not the model that ", run.folder.string(),
         " read; put that one there, or leave out --kl");
  return out;
}

class divergence_writer {
 public:
  divergence_writer(std::span<const compared_run> runs, const fs::path& path)
      : runs_(runs),
        file_(path),
        csv_([this](std::string_view bytes) { file_.write(bytes); }, csv_quotes::all_texts) {
    for (const char* name : {"study", "pair", "run", "other_run"}) csv_.text(name);
    for (const char* name : {"layer", "kl", "low", "high", "n", "n_clusters"}) csv_.name(name);
    csv_.end_row();
  }

  divergence_table write() {
    for (const compared_run& run : runs_) models_.push_back(open_model_of(run));
    for (std::size_t a = 0; a < runs_.size(); ++a)
      for (std::size_t b = a + 1; b < runs_.size(); ++b)
        for (const std::string& study : runs_[a].studies())
          if (runs_[b].studies().contains(study)) compare(a, b, study);
    file_.commit();
    return std::move(out_);
  }

 private:
  void compare(std::size_t a, std::size_t b, const std::string& study) {
    const compared_run &run = runs_[a], &other = runs_[b];
    const std::string about = cat(study, " of ", run.label, " and ", other.label);
    const paired_divergence found =
        pair_states({.run = run, .model = *models_[a]}, {.run = other, .model = *models_[b]}, study);
    if (!found.not_paired.empty()) {
      out_.remarks.push_back(cat("KL of ", about, ": not computed, ", found.not_paired));
      return;
    }
    if (found.not_finite > 0)
      out_.remarks.push_back(
          cat("KL of ", about, ": ", found.not_finite, " readings that are not finite are left out"));
    lines(study, run, other, found.layers, &layer_divergence::forward);
    lines(study, other, run, found.layers, &layer_divergence::reverse);
    if (std::find(out_.studies.begin(), out_.studies.end(), study) == out_.studies.end())
      out_.studies.push_back(study);
    out_.about.push_back({{"study", study},
                          {"run", run.label},
                          {"other_run", other.label},
                          {"prompts", found.prompts},
                          {"places_joined", found.joined},
                          {"places_of_run_alone", found.of_run_alone},
                          {"places_of_other_alone", found.of_other_alone}});
  }

  void lines(const std::string& study, const compared_run& run, const compared_run& other,
             const std::vector<layer_divergence>& layers, mean_divergence layer_divergence::*way) {
    for (const layer_divergence& l : layers) {
      const mean_divergence& d = l.*way;
      csv_.text(visible_line(study));
      csv_.text(cat(run.label, " || ", other.label));
      csv_.text(run.label);
      csv_.text(other.label);
      csv_.integer(l.layer);
      write_number(csv_, d.mean);
      write_ends(csv_, d.ends);
      end_with_counts(csv_, l.n, l.n_clusters);
    }
  }

  std::span<const compared_run> runs_;
  atomic_file file_;
  csv_writer csv_;
  std::vector<std::unique_ptr<const model_files>> models_;
  divergence_table out_;
};

figure_spec divergence_figure(const std::string& study) {
  figure_spec out;
  out.id = out.table = "divergence";
  out.title = "KL between the models' distributions at each layer, " + study;
  out.series = "pair", out.dash = "run";
  out.count = "n";
  panel_spec panel;
  panel.x = "layer", panel.y = "kl";
  panel.x_label = "Layer", panel.y_label = "KL (nats)";
  panel.where = "study=" + study;
  panel.low = "low", panel.high = "high";
  panel.flags = DLENS_PANEL_LAYER_X | DLENS_PANEL_MARKERS;
  out.panels = {panel};
  return out;
}

}  // namespace

void require_states(std::span<const compared_run> runs) {
  for (const compared_run& run : runs)
    for (const std::string& study : run.studies()) {
      const auto has = [&](const compared_run& r) { return r.studies().contains(study); };
      if (std::count_if(runs.begin(), runs.end(), has) > 1 && !fs::exists(run.folder / "states" / study))
        fail(status::no_input, run.folder.string(), ": has no states of ", study,
             "; --kl needs those of all runs, which run --save-states LAYERS keeps");
    }
}

divergence_table write_divergence(std::span<const compared_run> runs, const fs::path& csv) {
  return divergence_writer(runs, csv).write();
}

std::vector<fs::path> draw_divergence(std::span<const compared_run> runs, const divergence_table& table,
                                      const fs::path& csv, const fs::path& plots_dir,
                                      std::span<const std::string> formats, const figure_look& look) {
  figure_run about{.model = "", .lens = "logit", .prompts = 0, .n_layers = 0};
  for (const compared_run& run : runs) {
    about.model += (about.model.empty() ? "" : ", ") + run.label;
    about.n_layers = std::max(about.n_layers, run.n_layers);
  }
  std::vector<fs::path> out;
  for (const std::string& study : table.studies) {
    figure_run of_study = about;
    for (const boost::json::value& a : table.about)
      if (text_at(a.if_object(), "study") == study)
        of_study.prompts = std::max(of_study.prompts, *number_at(a.if_object(), "prompts"));
    for (fs::path& picture : draw_figure(divergence_figure(study), of_study, csv, plots_dir,
                                         "divergence_" + study, formats, look))
      out.push_back(std::move(picture));
  }
  return out;
}

}  // namespace depthlens
