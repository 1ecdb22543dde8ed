// SPDX-License-Identifier: Apache-2.0
// What run.json says of a model and its tokenizer, without comparing it.
#pragma once

#include "model/opened_model.hpp"

#include <boost/json.hpp>

namespace depthlens {

// Sets "model" and "tokenizer" in `out`.
void describe_model(const opened_model& model, boost::json::object& out);

}  // namespace depthlens
