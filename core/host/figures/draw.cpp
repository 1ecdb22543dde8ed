// SPDX-License-Identifier: Apache-2.0
#include "draw.hpp"

#include "anonymous_file.hpp"
#include "gnuplot_text.hpp"
#include "layout.hpp"
#include "picture_check.hpp"
#include "plot_blocks.hpp"
#include "script.hpp"
#include "tex_text.hpp"

#include <depthlens/base/atomic_file.hpp>
#include <depthlens/base/error.hpp>
#include <depthlens/base/utf8.hpp>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

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
  for (const std::string& format : formats)
    if (std::find(picture_formats.begin(), picture_formats.end(), format) == picture_formats.end())
      fail(status::usage, "unknown picture format \"", figure_line(format, 80),
           "\", expected png, svg, pdf or tikz");
}

void write_file(const fs::path& path, const std::string& text) {
  atomic_file file(path);
  file.write(text);
  file.commit();
}

// A picture while gnuplot draws it: in memory, so that nothing of it can be lost on the way. What stands in
// its place before stays there until the new one is known to be whole.
class picture_in_memory {
 public:
  picture_in_memory(fs::path place, std::string format)
      : place_(std::move(place)), format_(std::move(format)), file_("a picture") {}

  std::string commands(const std::string& script) const {
    return cat("reset\nformat = ", gnuplot_quote(format_), "\npicture = ", gnuplot_file_name(file_.path()),
               "\n", script, "\n");
  }
  void read() {
    bytes_ = format_ == "tikz" ? without_gnuplots_remarks(file_.bytes()) : file_.bytes();
    if (bytes_.empty()) fail(status::io, place_.string(), ": gnuplot did not write the picture");
    if (const std::string fault = picture_fault(format_, bytes_); !fault.empty())
      fail(status::io, place_.string(), ": gnuplot wrote only a part of the picture: it ", fault);
  }
  fs::path put_in_place() const {
    write_file(place_, bytes_);
    return place_;
  }

 private:
  fs::path place_;
  std::string format_;
  anonymous_file file_;
  std::string bytes_;
};

// The viewer of an SVG has its own fonts, a document of TeX too.
script_letters letters_of(std::string_view format) {
  if (format == "tikz") return script_letters::tex;
  return format == "svg" ? script_letters::all : script_letters::drawable;
}

// Drawing many points is no hanging: a second for each 100 KB of data is many times what gnuplot needs.
std::chrono::milliseconds time_to_draw(const std::string& data) {
  return drawing_time + std::chrono::milliseconds(data.size() / 100);
}

void draw_by_gnuplot(const fs::path& folder, const std::string& commands, const std::string& numbers,
                     std::span<const std::string> formats) {
  try {
    run_gnuplot(folder, commands, time_to_draw(numbers));
  } catch (const error& e) {
    const bool tikz = std::find(formats.begin(), formats.end(), "tikz") != formats.end();
    if (tikz && std::string_view(e.what()).find("terminal type") != std::string_view::npos)
      fail(status::unavailable, e.what(),
           ": it was built without Lua, which tikz takes; Debian's gnuplot-nox has it");
    throw;
  }
}

}  // namespace

std::vector<fs::path> draw_composed(const composed_figure& composed, const fs::path& plots_dir,
                                    const std::string& stem, std::span<const std::string> formats) {
  check_stem(stem);
  check_formats(formats);
  const figure_spec& figure = composed.figure;
  const figure_data& data = composed.data;
  page_layout page = lay_out(figure, data, composed.n_layers, composed.look);
  if (composed.look.titles) page.subtitle = subtitle_of(composed, page.width - 2 * page_layout::edge);
  const std::vector<plot_block> blocks = make_blocks(figure, data, page);
  const std::string script = script_text(composed, page, blocks, stem);
  const std::string numbers = dat_text(figure, data, blocks);
  write_file(plots_dir / (stem + ".dat"), numbers);
  write_file(plots_dir / (stem + ".gp"), script);

  std::vector<picture_in_memory> pictures;
  std::string commands;
  for (const std::string& format : formats) {
    pictures.emplace_back(plots_dir / (stem + "." + format), format);
    commands += pictures.back().commands(script_text(composed, page, blocks, stem, letters_of(format)));
  }
  if (!formats.empty()) draw_by_gnuplot(plots_dir, commands, numbers, formats);
  for (picture_in_memory& picture : pictures) picture.read();
  std::vector<fs::path> out;
  for (const picture_in_memory& picture : pictures) out.push_back(picture.put_in_place());
  return out;
}

std::vector<fs::path> draw_figure(const figure_spec& figure, const figure_run& run, const fs::path& csv,
                                  const fs::path& plots_dir, const std::string& stem,
                                  std::span<const std::string> formats, const figure_look& look) {
  check_stem(stem);
  check_formats(formats);
  composed_figure composed = compose_figure(figure, run, csv);
  composed.look = look;
  return draw_composed(composed, plots_dir, stem, formats);
}

}  // namespace depthlens
