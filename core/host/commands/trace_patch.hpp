// SPDX-License-Identifier: Apache-2.0
// depthlens trace --patch-from: for each layer, the run of a prompt whose state at its last position, as it
// enters that block, is the one of another prompt at its own last position.
#pragma once

#include "depthlens/tokenizer/tokenizer.hpp"
#include "engine/evaluator.hpp"

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace depthlens {

struct trace_patch {
  std::string source;  // the other prompt
  std::vector<std::int32_t> source_ids;
  std::int32_t source_top = -1, target_top = -1;  // what each prompt is answered with, as it is
  // (n_layers) the final output of each run, KL from that of the prompt as it is.
  std::vector<std::shared_ptr<const site_readings>> layers;
};

// run: with an output lens. Both prompts have tokens. top_k: likeliest tokens that are wanted.
trace_patch read_patch(const evaluator& run, const std::string& source, std::vector<std::int32_t> source_ids,
                       const std::vector<std::int32_t>& target, std::uint32_t n_layers, std::uint32_t top_k);

// ,"patch":{"source":"...","source_ids":[...],"source_top":5,"source_top_text":" Paris","target_top":7,
// "target_top_text":" Rome","layers":[{"layer":0,"top":[5],"top_text":[" Paris"],"top_logprob":[-0.1],
// "rank_source_top":1,"logprob_source_top":-0.1,"rank_target_top":2,"logprob_target_top":-3.2,
// "kl_from_target":2.5}]}
void put_patch(std::string& out, const trace_patch& p, std::uint32_t top_k, const tokenizer& t);
void print_patch(std::ostream& out, const trace_patch& p, std::uint32_t top_k, const tokenizer& t);

}  // namespace depthlens
