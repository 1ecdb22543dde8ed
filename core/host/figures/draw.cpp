// SPDX-License-Identifier: Apache-2.0
#include "draw.hpp"

#include "axis.hpp"
#include "gnuplot_text.hpp"
#include "layout.hpp"
#include "plot_blocks.hpp"
#include "script.hpp"
#include "series.hpp"
#include "style.hpp"
#include "text_width.hpp"

#include <depthlens/data/utf8.hpp>
#include <depthlens/error.hpp>
#include <depthlens/table/atomic_file.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>

namespace depthlens {

namespace {

namespace fs = std::filesystem;

void check_stem(const std::string& stem) {
  bool good =
      !stem.empty() && stem.size() <= 200 && stem.front() != '.' && stem.find('/') == std::string::npos;
  for (std::size_t at = 0; good && at < stem.size();) {
    const utf8_character c = utf8_at(stem, at);
    good = c.valid && !is_control_character(c.value);
    at += c.size;
  }
  if (!good)
    fail(status::usage, "\"", figure_line(stem, 80),
         "\" cannot be the name of a figure: expected 1 to 200 bytes of UTF-8 that do not begin with a dot, "
         "without '/' or "
         "control characters");
}

void check_formats(std::span<const std::string> formats) {
  constexpr std::array<std::string_view, 3> known = {"png", "svg", "pdf"};
  for (const std::string& format : formats)
    if (std::find(known.begin(), known.end(), format) == known.end())
      fail(status::usage, "unknown picture format \"", figure_line(format, 80),
           "\", expected png, svg or pdf");
}

// "MODEL, LENS lens, N prompts"; the model's name gives way where it is too long.
std::string subtitle(const figure_run& run, double width) {
  const std::string lens = run.lens.empty() ? ""
                                            : ", " + figure_line(run.lens, 40) +
                                                  (run.control.empty() ? " lens" : " lens and its null");
  const std::string rest =
      lens + ", " + with_commas(run.prompts) + (run.prompts == 1 ? " prompt" : " prompts");
  const double room = width - text_width(rest, figure_style::text_size);
  return fit_text(run.model, figure_style::text_size, room, shorten::middle) + rest;
}

void write_file(const fs::path& path, const std::string& text) {
  atomic_file file(path);
  file.write(text);
  file.commit();
}

// Pictures under names that no one else uses; removed unless they are put in place.
class temporary_pictures {
 public:
  temporary_pictures(fs::path folder, const std::string& stem)
      : folder_(std::move(folder)), name_("." + stem + ".tmp-" + std::to_string(::getpid())) {}
  ~temporary_pictures() {
    std::error_code ignored;
    for (const char* format : {".png", ".svg", ".pdf"}) fs::remove(folder_ / (name_ + format), ignored);
  }
  temporary_pictures(const temporary_pictures&) = delete;
  temporary_pictures& operator=(const temporary_pictures&) = delete;

  const std::string& name() const noexcept { return name_; }

  fs::path put_in_place(const std::string& stem, const std::string& format) const {
    const fs::path from = folder_ / (name_ + "." + format), to = folder_ / (stem + "." + format);
    std::error_code code;
    const std::uintmax_t size = fs::file_size(from, code);
    if (code || size == 0)
      fail(status::io, to.string(), ": gnuplot did not write the picture; is the disk full?");
    fs::rename(from, to, code);
    if (code) fail(status::io, to.string(), ": cannot put the picture in place: ", code.message());
    return to;
  }

 private:
  fs::path folder_;
  std::string name_;
};

}  // namespace

std::vector<fs::path> draw_figure(const figure_spec& given, const figure_run& run, const fs::path& csv,
                                  const fs::path& plots_dir, const std::string& stem,
                                  std::span<const std::string> formats) {
  check_stem(stem);
  check_formats(formats);
  figure_spec figure = given;
  figure_data data = read_figure(figure, csv);
  if (!run.control.empty()) {
    add_control(data, read_figure(figure, run.control), "null");
    if (!figure.baseline.empty()) {
      figure_spec text = given;
      for (panel_spec& panel : text.panels) panel.y = figure.baseline;
      add_control(data, read_figure(text, csv), "text");
    }
    figure.kind = figure_kind::lines;
  }
  page_layout page = lay_out(figure, data, run.n_layers);
  page.subtitle = subtitle(run, page.width - 2 * page_layout::edge);
  const std::vector<plot_block> blocks = make_blocks(figure, data, page);
  const std::string script = script_text(figure, data, page, blocks, stem);
  write_file(plots_dir / (stem + ".dat"), dat_text(figure, data, blocks));
  write_file(plots_dir / (stem + ".gp"), script);

  const temporary_pictures pictures(plots_dir, stem);
  std::string commands;
  for (const std::string& format : formats)
    commands += cat("reset\nformat = ", gnuplot_quote(format),
                    "\npicture = ", gnuplot_file_name("./" + pictures.name()), "\n", script, "\n");
  if (!formats.empty()) run_gnuplot(plots_dir, commands);
  std::vector<fs::path> out;
  for (const std::string& format : formats) out.push_back(pictures.put_in_place(stem, format));
  return out;
}

}  // namespace depthlens
