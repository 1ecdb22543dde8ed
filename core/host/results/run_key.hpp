// SPDX-License-Identifier: Apache-2.0
// What results depend on, as the "key" of run.json: contents and options, never paths, threads or dates.
#pragma once

#include "commands/run_lenses.hpp"
#include "commands/run_request.hpp"
#include "model/opened_model.hpp"

#include <boost/json.hpp>

#include <filesystem>
#include <string>
#include <string_view>

namespace depthlens {

boost::json::object make_run_key(const run_request& request, const opened_model& model,
                                 const run_lenses& lenses, const std::string& backend);

// A run is not continued on another kind of device ("cpu, ...", "cuda:1, ...") than it names: status::config.
void refuse_other_device(const boost::json::object& manifest, std::string_view device,
                         const std::filesystem::path& folder);

// The parts of run.json that describe the run without being compared: model, tokenizer, data.
boost::json::object describe_run(const run_request& request, const opened_model& model);

}  // namespace depthlens
