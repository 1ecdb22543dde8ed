// SPDX-License-Identifier: Apache-2.0
// A figure of a run as a <figure>: title, legend and panels, drawn from its table.
#pragma once

#include "results/figures_of_run.hpp"

#include <cstddef>
#include <string>

namespace depthlens {

// A page holds no figure of more points than this; it says where that figure is instead.
inline constexpr std::size_t most_points_on_page = 50'000;

// `id`: of the element. Throws what read_drawn throws.
std::string figure_html(const run_figure& figure, const std::string& id);

}  // namespace depthlens
