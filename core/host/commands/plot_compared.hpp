// SPDX-License-Identifier: Apache-2.0
// depthlens plot DIR DIR...: figures of several runs in one.
#pragma once

#include "commands/command.hpp"
#include "figures/look.hpp"

namespace depthlens {

// --out, --layout and --label; the last two belong to several folders.
void add_comparison_options(boost::program_options::options_description& options);

// --style, --width and --titles; what they ask for.
void add_look_options(boost::program_options::options_description& options);
figure_look asked_look(const parsed_options& options);

// Prints the paths of what it wrote.
int plot_compared_command(const parsed_options& options);

// status::unavailable where there is no gnuplot that works; plot.cpp.
void require_gnuplot();

}  // namespace depthlens
