// SPDX-License-Identifier: Apache-2.0
// Does a backend read this model as its files say? Checked each time a model is loaded, with one forward call
// of a few tokens; a reading that is wrong without looking wrong is the worst that can happen here. By name:
//   scale    a state and ten times that state read alike, at the first, middle and last layer: the lens
//            applies the final norm, with the statistics of the state that it reads
//   readout  states made up here, and the token's embedding at layer 0, read as worked out in double from the
//            tensors (readout_reference.hpp): norm, biases, epsilon, unembedding and soft cap are the files'
//   output   at the last layer the lens is the model's own output: the same first token, no KL
//   blocks   one block of each kind that the model has computes what its weights say (block_check.hpp); of a
//            model that is streamed only the first few run, and kinds that come later are not looked at
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/model/model_files.hpp"

#include <boost/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace depthlens {

// The names in "NAME[,NAME...]", "all" for every one. Errors: status::usage.
std::vector<std::string> parse_skipped_checks(const std::string& text);

struct self_check_options {
  std::string precision = "f32";     // as the model was asked to be held
  std::int32_t token = 0;            // the one that is read
  std::vector<std::string> skipped;  // names
};

// Fails with status::internal, naming the check, what was read and what the files say. Gives
// {"scale": {"result": "passed", "largest_difference": nats}, ...} for run.json; "skipped" where it was. Of
// "blocks" the difference is a share of what a block adds; "checked" has the numbers of those that were, and
// "not checked" the first of each kind that was passed over.
boost::json::object self_check(const model_files& files, const dlens_model* model,
                               const self_check_options& o);

}  // namespace depthlens
