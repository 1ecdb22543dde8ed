// SPDX-License-Identifier: Apache-2.0
// What a run says at its end, for people: the numbers behind the first figure of each experiment, as a small
// table, and what one would do next.
#pragma once

#include "results/figures_of_run.hpp"

#include <boost/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace depthlens {

// Lines for a terminal: a title, a head, and a line for each of at most eight series of its first panel, with
// at most five columns: values of x, or of y where the interval is one of x. "" = it shows nothing of the
// kind, as a density. Throws what read_drawn throws.
std::string numbers_at_a_glance(const run_figure& figure);

// Of the first figure of each of these experiments that has one.
std::string main_numbers(const std::vector<run_figure>& figures, const std::vector<std::string>& studies);

// The same on stderr, of a run whose tables are finished; nothing with --quiet. What cannot be read for it is
// a warning.
void tell_main_numbers(const std::filesystem::path& run, const boost::json::object& manifest,
                       const std::vector<std::string>& studies);

// Three commands about a finished run, each with what it does.
std::string next_commands(const std::filesystem::path& run, const std::string& model);

}  // namespace depthlens
