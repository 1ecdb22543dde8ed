// SPDX-License-Identifier: Apache-2.0
// depthlens plot DIR: the figures of a run again, from run.json and the CSVs alone. Several folders are
// plot_compared.hpp.
#include "commands/plot_compared.hpp"

#include "comparison/comparison.hpp"
#include "depthlens/base/io_error.hpp"
#include "figures/gnuplot_process.hpp"
#include "process/stop_signal.hpp"
#include "results/figures_of_run.hpp"
#include "results/output_digests.hpp"
#include "results/run_folder.hpp"
#include "run/shard_run.hpp"
#include "terminal/log.hpp"

#include <iostream>
#include <string>
#include <vector>

namespace depthlens {

namespace {

namespace fs = std::filesystem;

void warn_of_altered_tables(const fs::path& dir, const boost::json::object& manifest) {
  std::vector<std::string> altered;
  for (const std::string& table : tables_of_figures(manifest))
    if (state_of_output(manifest, dir, table) == output_state::different) altered.push_back(table);
  if (!altered.empty())
    log_warning(cat("not as the run wrote ", altered.size() == 1 ? "it: " : "them: ",
                    names_for_people(altered), "; the figures show what is in ",
                    altered.size() == 1 ? "it" : "them", " now; the next run puts its own back"));
}

void warn_of_edited_scripts(const std::vector<std::string>& edited) {
  if (!edited.empty())
    log_warning(cat("edited, and left as ", edited.size() == 1 ? "it is: " : "they are: ",
                    names_for_people(edited), "; gnuplot draws from ", edited.size() == 1 ? "it" : "them",
                    ", --out DIR draws the run's own elsewhere, and the next run puts those back"));
}

// Those that would do nothing.
void refuse_idle_options(const parsed_options& o) {
  const bool one = o.texts("dir").size() == 1, all = o.values["all"].as<bool>();
  if (all && !one) fail(status::usage, "--all is for the plot of one run; leave it out");
  if (all && !o.has("out"))
    fail(status::usage, "--all needs --out DIR: what the run's own plots/ holds is kept up by the run");
  if (one && o.values["kl"].as<bool>()) fail(status::usage, "--kl is between runs; give their folders too");
  if (one && o.has("label"))
    fail(status::usage, "--label is for plots of several runs; give their folders too");
  if (one && !o.values["layout"].defaulted())
    fail(status::usage, "--layout is for plots of several runs; give their folders too");
}

// So that the next run takes them for its own. A run that goes on meanwhile finds them changed and draws
// again.
void note_in_run(const fs::path& dir, const std::vector<fs::path>& pictures) {
  try {
    run_folder held(dir);
    manifest m = manifest::read(held.manifest());
    note_figures(m.fields, held.root(), pictures);
    held.lock().check_now();
    m.write(held.manifest());
  } catch (const error& e) {
    log_warning(
        cat("the new pictures are not noted in run.json, and the next run draws them again: ", e.what()));
  }
}

}  // namespace

void require_gnuplot() {
  if (const gnuplot_verdict gnuplot = check_gnuplot(); gnuplot.state != gnuplot_state::usable)
    fail(status::unavailable, gnuplot.words, "; figures are drawn with it");
}

int plot_command(const arguments& args) {
  namespace po = boost::program_options;
  po::options_description d("Options");
  d.add_options()("dir", po::value<std::vector<std::string>>()->composing()->value_name("DIR"),
                  "output folder of a run; several: their figures in one")(
      "format", po::value<std::string>()->default_value("png,svg,pdf")->value_name("LIST"),
      "picture formats: png, svg, pdf, and tikz for LaTeX")(
      "all", po::bool_switch(),
      "with --out, of one run: also figures that are drawn on request alone, as densities are");
  add_look_options(d);
  add_comparison_options(d);
  d.add(common_options());
  const parsed_options o =
      parse_options(args,
                    "usage: depthlens plot DIR [--format LIST] [--style STYLE] [--out DIR [--all]]\n"
                    "       depthlens plot DIR DIR... --out DIR [--layout HOW] [--kl]\n",
                    d, {{"dir", -1}});
  if (o.done) return 0;
  if (!o.has("dir")) fail(status::usage, "plot needs the output folder of a run");
  refuse_idle_options(o);
  if (o.texts("dir").size() > 1) return plot_compared_command(o);
  const fs::path dir = o.texts("dir")[0];
  refuse_folder_of_shard(dir);
  if (!input_is_folder(dir)) fail(status::no_input, dir.string(), ": no such folder");
  const manifest m = manifest::read(dir / "run.json");
  if (m.empty()) fail(status::no_input, dir.string(), ": no run.json; give the folder of a depthlens run");
  catch_stop_signals();
  require_gnuplot();
  const bool elsewhere = o.has("out");
  drawing_request request{
      .folder = elsewhere ? output_folder(o) : dir / "plots",
      .formats = parse_formats(o.text("format")),
      .look = asked_look(o),
      .choice = o.values["all"].as<bool>() ? figure_choice::all : figure_choice::ordinary};
  if (elsewhere) refuse_as_output(request.folder, {dir});
  warn_of_altered_tables(dir, m.fields);
  if (!elsewhere) request.left = edited_scripts(dir, m.fields);
  warn_of_edited_scripts(request.left);
  const std::vector<fs::path> pictures = draw_figures(dir, m.fields, request);
  if (!elsewhere) note_in_run(dir, pictures);
  if (elsewhere)
    if (const auto csv = compare_lenses(dir, request.folder)) std::cout << csv->string() << '\n';
  for (const fs::path& p : pictures) std::cout << p.string() << '\n';
  return 0;
}

}  // namespace depthlens
