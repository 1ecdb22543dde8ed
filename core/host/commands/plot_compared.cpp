// SPDX-License-Identifier: Apache-2.0
#include "commands/plot_compared.hpp"

#include "comparison/comparison.hpp"
#include "process/stop_signal.hpp"
#include "results/figures_of_run.hpp"

#include <iostream>
#include <string>
#include <vector>

namespace depthlens {

namespace {

namespace po = boost::program_options;

runs_layout parse_layout(const std::string& text) {
  for (const runs_layout layout : {runs_layout::automatic, runs_layout::overlay, runs_layout::side})
    if (text == name_of(layout)) return layout;
  fail(status::usage, "--layout ", text, ": expected auto, overlay or side");
}

}  // namespace

void add_look_options(po::options_description& options) {
  options.add_options()("style", po::value<std::string>()->default_value("paper")->value_name("STYLE"),
                        "paper, slides (twice as large) or dark (light on black)")(
      "width", po::value<std::string>()->value_name("LENGTH"),
      "of a figure: 3.25in, 8.5cm, 240pt; default: 3.35in, or 6.9in for several panels or many bars")(
      "titles", po::value<std::string>()->default_value("on")->value_name("WHICH"),
      "on, or off where a caption says the same");
}

figure_look asked_look(const parsed_options& o) {
  if (o.has("width") && o.text("width").empty()) fail(status::usage, "--width: expected a length as 3.25in");
  return parse_look(o.text("style"), o.text("width"), o.text("titles"));
}

void add_comparison_options(po::options_description& options) {
  options.add_options()(
      "out,o", po::value<std::string>()->value_name("DIR"),
      "of several runs: the folder of their comparison; of one: draw there, with the differences of "
      "its lenses, and leave its plots/ as they are")(
      "layout", po::value<std::string>()->default_value("auto")->value_name("HOW"),
      "of several runs: overlay (in the same axes), side (panels side by side), auto: overlay for few lines")(
      "label", po::value<std::vector<std::string>>()->composing()->value_name("NAME"),
      "of each run, in their order; default: what tells them apart")(
      "kl", po::bool_switch(),
      "of several runs: the KL divergence between their models at each layer, from the states that the runs "
      "kept (run --save-states)");
}

int plot_compared_command(const parsed_options& o) {
  comparison_request request{.folders = {}, .labels = o.texts("label"), .out = {}, .formats = {}};
  for (const std::string& folder : o.texts("dir")) request.folders.emplace_back(folder);
  if (!o.has("out"))
    fail(status::usage, "plot of ", request.folders.size(),
         " runs needs --out DIR, the folder of their comparison; to draw the figures of each again, give one "
         "folder at a time");
  request.kl = o.values["kl"].as<bool>();
  request.layout = parse_layout(o.text("layout"));
  request.formats = parse_formats(o.text("format"));
  request.look = asked_look(o);
  request.out = output_folder(o);
  catch_stop_signals();
  require_gnuplot();
  for (const std::filesystem::path& file : compare_runs(request)) std::cout << file.string() << '\n';
  return 0;
}

}  // namespace depthlens
