// SPDX-License-Identifier: Apache-2.0
#include "comparison/run_labels.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/json_members.hpp"
#include "depthlens/base/text.hpp"

#include <cstddef>
#include <filesystem>
#include <map>
#include <set>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

std::string file_of_model(const compared_run& run) {
  const auto path = text_at(object_at(&run.manifest, "model"), "path");
  return path ? fs::path(*path).filename().string() : "";
}

std::string lenses_of_run(const compared_run& run) {
  std::string out;
  if (const auto* all = object_at(&run.manifest, "lenses"))
    for (const auto& lens : *all)
      if (value_at(lens.value().if_object(), "control_of") == nullptr)
        out += (out.empty() ? "" : "+") + std::string(lens.key());
  return out;
}

std::string folder_name(const compared_run& run) {
  const fs::path folder = run.folder.lexically_normal();
  return (folder.has_filename() ? folder : folder.parent_path()).filename().string();
}

using words_of_run = std::string (*)(const compared_run&);
constexpr words_of_run from_short_to_long[] = {
    [](const compared_run& run) { return run.key_text("precision"); },
    file_of_model,
    [](const compared_run& run) { return run.key_text("backend"); },
    lenses_of_run,
    folder_name,
    [](const compared_run& run) { return run.folder.string(); }};

// The first words that are different for all of them, and none empty; the folders as they were given are.
std::vector<std::string> words_apart(const std::vector<compared_run*>& runs) {
  std::vector<std::string> out;
  for (const words_of_run words : from_short_to_long) {
    out.clear();
    std::set<std::string> different;
    for (const compared_run* run : runs) different.insert(out.emplace_back(visible_line(words(*run))));
    if (different.size() == runs.size() && !different.contains("")) break;
  }
  return out;
}

void check_labels(std::span<const compared_run> runs, const std::vector<std::string>& asked) {
  if (asked.size() != runs.size())
    fail(status::usage, "--label is given ", asked.size(), asked.size() == 1 ? " time" : " times", " for ",
         runs.size(), " runs; give one for each, in their order");
  std::set<std::string> seen;
  for (const std::string& label : asked)
    if (label.empty() || !seen.insert(label).second)
      fail(status::usage, "--label ", printable(label), ": labels must not be empty nor alike");
}

}  // namespace

void label_runs(std::span<compared_run> runs, const std::vector<std::string>& asked) {
  if (!asked.empty()) {
    check_labels(runs, asked);
    for (std::size_t i = 0; i < runs.size(); ++i) runs[i].label = visible_line(asked[i]);
    return;
  }
  std::map<std::string, std::vector<compared_run*>> by_model;
  for (compared_run& run : runs) by_model[visible_line(run.model)].push_back(&run);
  std::set<std::string> seen;
  for (const auto& [model, of_model] : by_model) {
    const std::vector<std::string> words = words_apart(of_model);
    for (std::size_t i = 0; i < of_model.size(); ++i) {
      std::string& label = of_model[i]->label;
      label = of_model.size() == 1 ? model : by_model.size() == 1 ? words[i] : model + " " + words[i];
      seen.insert(label);
    }
  }
  // A model may be called as another one with its precision.
  if (seen.size() < runs.size() || seen.contains(""))
    for (compared_run& run : runs) run.label = visible_line(run.folder.string());
}

}  // namespace depthlens
