// SPDX-License-Identifier: Apache-2.0
// depthlens plot DIR: the figures of a run again, from run.json and the CSVs alone.
#include "commands/command.hpp"

#include "depthlens/io_error.hpp"
#include "results/figures_of_run.hpp"
#include "terminal/log.hpp"

#include <iostream>

namespace depthlens {

int plot_command(const arguments& args) {
  namespace po = boost::program_options;
  po::options_description d("Options");
  d.add_options()("dir", po::value<std::string>()->value_name("DIR"), "output folder of a run")(
      "format", po::value<std::string>()->default_value("png,svg,pdf")->value_name("LIST"),
      "picture formats");
  d.add(common_options());
  const parsed_options o =
      parse_options(args, "usage: depthlens plot DIR [--format png,svg,pdf]\n", d, {{"dir", 1}});
  if (o.done) return 0;
  if (!o.has("dir")) fail(status::usage, "plot needs the output folder of a run");
  const std::filesystem::path dir = o.text("dir");
  if (!input_is_folder(dir)) fail(status::no_input, dir.string(), ": no such folder");
  const manifest m = manifest::read(dir / "run.json");
  if (m.empty()) fail(status::no_input, dir.string(), ": no run.json; give the folder of a depthlens run");
  if (!gnuplot_available()) fail(status::unavailable, "gnuplot is not installed; figures are drawn with it");
  const std::vector<std::string> formats = parse_formats(o.text("format"));
  for (const std::filesystem::path& p : draw_figures(dir, m.fields, formats)) std::cout << p.string() << '\n';
  return 0;
}

}  // namespace depthlens
