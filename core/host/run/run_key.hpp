// SPDX-License-Identifier: Apache-2.0
// What results depend on, as the "key" of run.json: contents and options, never paths, threads or dates.
#pragma once

#include "run/run_inputs.hpp"

#include <boost/json.hpp>

#include <string>

namespace depthlens {

boost::json::object make_run_key(const run_inputs& inputs, const std::string& backend);

// The parts of run.json that describe the run without being compared: model, tokenizer, data.
boost::json::object describe_run(const run_request& request, const opened_model& model);

}  // namespace depthlens
