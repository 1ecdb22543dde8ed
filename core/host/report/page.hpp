// SPDX-License-Identifier: Apache-2.0
// A run as one page: HTML that holds all it needs, asks no network, and runs no script but its own.
#pragma once

#include <boost/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace depthlens {

// The summary tables of a run, by name in data/; of a run whose run.json does not list them, as those of
// earlier versions do not, the tables of its figures. Throws status::data where a name leads elsewhere.
std::vector<std::string> summary_tables(const boost::json::object& manifest);

// The same bytes for the same folder. `altered`: outputs that are not as the run wrote them, which the page
// says. Throws what figures_of, figure_html and table_html throw.
std::string page_html(const std::filesystem::path& run, const boost::json::object& manifest,
                      const std::vector<std::string>& altered);

}  // namespace depthlens
