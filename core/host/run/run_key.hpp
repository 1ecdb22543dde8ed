// SPDX-License-Identifier: Apache-2.0
// What results depend on, as the "key" of run.json: contents and options, never paths, threads or dates.
#pragma once

#include "model/model_chat.hpp"
#include "model/opened_model.hpp"
#include "run/run_lenses.hpp"
#include "run/run_request.hpp"

#include <boost/json.hpp>

#include <string>

namespace depthlens {

// chat: null = prompts are sent as they are.
boost::json::object make_run_key(const run_request& request, const opened_model& model,
                                 const model_chat* chat, const run_lenses& lenses,
                                 const std::string& backend);

// The parts of run.json that describe the run without being compared: model, tokenizer, data.
boost::json::object describe_run(const run_request& request, const opened_model& model);

}  // namespace depthlens
