// SPDX-License-Identifier: Apache-2.0
// The gnuplot script of a figure. It draws the same with gnuplot 5.4 and 6.0, and lies beside its data so
// that users can restyle it. All texts from outside stand in gnuplot_quote() or gnuplot_file_name(), all
// numbers come from gnuplot_number().
#pragma once

#include "compose.hpp"
#include "layout.hpp"
#include "plot_blocks.hpp"

#include <string>
#include <vector>

namespace depthlens {

// How texts are written: as they are, as this machine's fonts can draw them (glyphs.hpp), or for TeX
// (tex_text.hpp).
enum class script_letters { all, drawable, tex };
// The script reads './STEM.dat' and draws './STEM.png', unless the variables `format` (png, svg, pdf) and
// `picture` (the path of the file) are set before. With letters for TeX it draws 'STEM.tikz' alone.
std::string script_text(const composed_figure& composed, const page_layout& page,
                        const std::vector<plot_block>& blocks, const std::string& stem,
                        script_letters letters = script_letters::all);

}  // namespace depthlens
