// SPDX-License-Identifier: Apache-2.0
#include "comparison/paired_tables.hpp"

#include "depthlens/base/error.hpp"
#include "depthlens/base/json_members.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

fs::path existing_table(const compared_run& run, const std::string& name) {
  fs::path file = run.folder / "data" / name;
  if (!fs::exists(file))
    fail(status::no_input, file.string(),
         ": the table is missing; the command that made the run makes it again");
  return file;
}

// "facts_logit.csv" without "_logit.csv"; nothing where it is named otherwise.
std::optional<std::string> name_of_all_lenses(const std::string& file, const std::string& lens) {
  const std::string end = "_" + lens + ".csv";
  if (!file.ends_with(end) || file.size() == end.size()) return std::nullopt;
  return file.substr(0, file.size() - end.size());
}

// Of a study and lens: the files with rows, by their names without lens.
std::map<std::string, std::string> row_tables(const compared_run& run, const std::string& study,
                                              const std::string& lens) {
  std::map<std::string, std::string> out;
  for (const std::string& file : run.tables(study, lens))
    if (const auto name = name_of_all_lenses(file, lens))
      if (table_rows(existing_table(run, file), rows_of_model(run)).has_rows()) out[*name] = file;
  return out;
}

// Of each lens of the run the lens of the other that it is compared with.
std::vector<std::pair<std::string, std::string>> paired_lenses(const compared_run& run,
                                                               const compared_run& other,
                                                               const std::string& study) {
  std::vector<std::pair<std::string, std::string>> out;
  if (&run == &other) {
    const std::vector<std::string> all = run.lenses_and_controls(study);
    for (std::size_t a = 0; a < all.size(); ++a)
      for (std::size_t b = a + 1; b < all.size(); ++b) out.emplace_back(all[a], all[b]);
    return out;
  }
  const std::vector<std::string> mine = run.lenses(study), others = other.lenses(study);
  for (const std::string& lens : mine)
    if (std::find(others.begin(), others.end(), lens) != others.end()) out.emplace_back(lens, lens);
  if (out.empty() && !mine.empty() && !others.empty()) out.emplace_back(mine[0], others[0]);
  return out;
}

}  // namespace

model_rows rows_of_model(const compared_run& run) {
  return {.n_layers = run.n_layers, .target_is_output = run.key_text("target") == "final"};
}

std::vector<fs::path> tables_of_prompts(const compared_run& run, const std::string& study) {
  std::vector<fs::path> out;
  const auto* lenses = object_at(object_at(&run.manifest, "tables"), study);
  if (lenses == nullptr) return out;
  for (const auto& lens : *lenses)
    for (const std::string& file : run.tables(study, lens.key())) {
      fs::path path = existing_table(run, file);
      if (prompt_clusters(path).has_clusters()) out.push_back(std::move(path));
    }
  return out;
}

std::optional<fs::path> prompts_of(const compared_run& run, const std::string& study,
                                   const std::string& table) {
  const std::vector<fs::path> all = tables_of_prompts(run, study);
  for (const fs::path& path : all)
    if (path.filename() == "prompts_" + table + ".csv") return path;
  return all.size() == 1 ? std::optional(all[0]) : std::nullopt;
}

std::vector<paired_table> pair_tables(const compared_run& run, const compared_run& other) {
  std::vector<paired_table> out;
  for (const std::string& study : run.studies())
    for (const auto& [lens, other_lens] : paired_lenses(run, other, study)) {
      const std::map<std::string, std::string> others = row_tables(other, study, other_lens);
      for (const auto& [name, file] : row_tables(run, study, lens)) {
        const auto at = others.find(name);
        if (at == others.end()) continue;
        std::optional<fs::path> prompts = prompts_of(run, study, name);
        if (!prompts) prompts = prompts_of(other, study, name);
        out.push_back({.table = name,
                       .lens = lens,
                       .other_lens = other_lens,
                       .rows = run.folder / "data" / file,
                       .other_rows = other.folder / "data" / at->second,
                       .prompts = std::move(prompts)});
      }
    }
  return out;
}

}  // namespace depthlens
