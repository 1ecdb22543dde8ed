// SPDX-License-Identifier: Apache-2.0
#include "comparison/comparison.hpp"

#include "comparison/comparable.hpp"
#include "comparison/compared_figures.hpp"
#include "comparison/compared_run.hpp"
#include "comparison/difference_table.hpp"
#include "comparison/divergence_table.hpp"
#include "comparison/paired_tables.hpp"
#include "comparison/run_labels.hpp"
#include "depthlens/base/atomic_file.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/base/text.hpp"
#include "results/folder_owner.hpp"
#include "results/manifest.hpp"
#include "results/output_digests.hpp"
#include "results/run_folder.hpp"
#include "terminal/log.hpp"
#include "version.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

void say_differences(std::span<const compared_run> runs, const std::vector<differing_field>& fields) {
  std::string labels, names;
  for (const compared_run& run : runs) labels += (labels.empty() ? "" : ", ") + run.label;
  for (const differing_field& field : fields) names += (names.empty() ? "" : ", ") + visible_line(field.name);
  log_info(cat(labels, names.empty() ? ": the runs differ in nothing that run.json says"
                                     : ": the runs differ in " + names));
}

void warn_of_altered_tables(const compared_run& run, bool states) {
  std::vector<std::string> tables = altered_outputs(run.manifest, run.folder);
  std::erase_if(tables, [&](const std::string& name) {
    return !name.starts_with("data/") && !(states && name.starts_with("states/"));
  });
  if (!tables.empty())
    log_warning(cat(run.folder.string(), ": not as the run wrote ", tables.size() == 1 ? "it: " : "them: ",
                    names_for_people(tables), "; what is there now is compared"));
}

boost::json::array describe_runs(std::span<const compared_run> runs) {
  boost::json::array out;
  for (const compared_run& run : runs)
    out.push_back({{"label", run.label},
                   {"folder", visible(run.folder.string())},
                   {"model", run.model},
                   {"n_layers", run.n_layers}});
  return out;
}

boost::json::object describe_fields(const std::vector<differing_field>& fields) {
  boost::json::object out;
  for (const differing_field& field : fields) {
    boost::json::array values;
    for (const auto& value : field.values)
      values.push_back(value ? boost::json::value(*value) : boost::json::value(nullptr));
    out[field.name] = std::move(values);
  }
  return out;
}

boost::json::object describe_figures(std::span<const compared_run> runs, const figures_to_compare& what) {
  boost::json::object out;
  for (const compared_figure& figure : what.figures) {
    boost::json::array of_runs, lenses;
    for (const compared_figure::part& p : figure.parts) {
      of_runs.emplace_back(runs[p.run].label);
      lenses.emplace_back(p.figure->about.lens);
    }
    out[figure.stem] = {{"experiment", figure.parts[0].figure->study},
                        {"figure", figure.parts[0].figure->figure.id},
                        {"layout", name_of(figure.layout)},
                        {"runs", std::move(of_runs)},
                        {"lenses", std::move(lenses)}};
  }
  return out;
}

boost::json::array list_of(const std::vector<std::string>& lines) {
  boost::json::array out;
  for (const std::string& line : lines) out.emplace_back(line);
  return out;
}

// What --kl adds; nothing where it is not asked for.
struct compared_states {
  divergence_table table;
  std::vector<fs::path> files;
};

compared_states compare_states(std::span<const compared_run> runs, const comparison_request& request) {
  if (!request.kl) return {};
  const fs::path csv = request.out / "divergence.csv";
  compared_states out{.table = write_divergence(runs, csv), .files = {csv}};
  for (fs::path& picture :
       draw_divergence(runs, out.table, csv, request.out / "plots", request.formats, request.look))
    out.files.push_back(std::move(picture));
  return out;
}

void write_description(const fs::path& file, const boost::json::object& about) {
  atomic_file out(file);
  out.write(pretty(about));
  out.write("\n");
  out.commit();
}

}  // namespace

void refuse_as_output(const fs::path& out_folder, const std::vector<fs::path>& runs) {
  refuse_inputs_within(out_folder, runs);
  if (fs::exists(out_folder / "run.json"))
    fail(status::config, out_folder.string(), " is the folder of a run; choose another --out");
  const fs::path out = fs::weakly_canonical(out_folder);
  for (const fs::path& folder : runs) {
    const fs::path run = fs::canonical(folder);
    if (std::mismatch(run.begin(), run.end(), out.begin(), out.end()).first == run.end())
      fail(status::usage, "--out ", out_folder.string(), ": lies in ", folder.string(),
           ", which is read; choose another --out");
  }
  for (fs::path above = out.parent_path(); above != above.parent_path(); above = above.parent_path())
    if (fs::exists(above / "run.json"))
      fail(status::config, out_folder.string(), ": lies in ", above.string(),
           ", the folder of a run; choose another --out");
}

std::optional<fs::path> compare_lenses(const fs::path& run, const fs::path& out) {
  std::vector<compared_run> runs = open_runs(std::array{run});
  label_runs(runs, {});
  if (pair_tables(runs[0], runs[0]).empty()) return std::nullopt;
  const fs::path csv = out / "differences.csv";
  for (const std::string& line : write_differences(runs, csv).remarks) log_warning(line);
  return csv;
}

std::vector<fs::path> compare_runs(const comparison_request& request) {
  std::vector<compared_run> runs = open_runs(request.folders);
  refuse_other_data(runs);
  label_runs(runs, request.labels);
  refuse_as_output(request.out, request.folders);
  if (request.kl) require_states(runs);
  const std::vector<differing_field> fields = fields_that_differ(runs);
  say_differences(runs, fields);
  for (const compared_run& run : runs) warn_of_altered_tables(run, request.kl);

  make_folder(request.out);
  make_folder(request.out / "plots");
  // First what may still be refused.
  const compared_states states = compare_states(runs, request);
  std::vector<fs::path> written = {request.out / "differences.csv"};
  const difference_table differences = write_differences(runs, written[0]);
  written.insert(written.end(), states.files.begin(), states.files.end());
  figures_to_compare figures = match_figures(runs);
  for (fs::path& picture :
       draw_compared(runs, figures, request.layout, request.out / "plots", request.formats, request.look))
    written.push_back(std::move(picture));
  std::vector<std::string> remarks = differences.remarks;
  remarks.insert(remarks.end(), states.table.remarks.begin(), states.table.remarks.end());
  remarks.insert(remarks.end(), figures.remarks.begin(), figures.remarks.end());
  for (const std::string& line : remarks) log_warning(line);

  written.push_back(request.out / "comparison.json");
  write_description(written.back(), {{"depthlens", DEPTHLENS_VERSION},
                                     {"runs", describe_runs(runs)},
                                     {"differ_in", describe_fields(fields)},
                                     {"tables", differences.about},
                                     {"divergence", states.table.about},
                                     {"figures", describe_figures(runs, figures)},
                                     {"remarks", list_of(remarks)}});
  return written;
}

}  // namespace depthlens
