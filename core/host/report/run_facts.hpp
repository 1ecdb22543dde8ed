// SPDX-License-Identifier: Apache-2.0
// What run.json says of a run, as tables of a page: what was run, on which data, how to do it again, and the
// checksums of all that went in.
#pragma once

#include <boost/json.hpp>

#include <string>
#include <vector>

namespace depthlens {

// The words of the experiments of a run, in the order of its tables.
std::vector<std::string> studies_of(const boost::json::object& manifest);

std::string data_html(const boost::json::object& manifest);
std::string settings_html(const boost::json::object& manifest);
std::string checksums_html(const boost::json::object& manifest);
std::string commands_html(const boost::json::object& manifest);

}  // namespace depthlens
