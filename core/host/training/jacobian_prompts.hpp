// SPDX-License-Identifier: Apache-2.0
// The prompts that a Jacobian lens is fitted on: stretches of a text, some of them chosen by a seed, and of
// these a shard's.
#pragma once

#include "training/jacobian_request.hpp"
#include "training/text_sequences.hpp"

#include <cstddef>
#include <cstdint>

namespace depthlens {

// Positions skip_first..n-2 of a prompt of n tokens count, as in published lenses: the first ones are unlike
// all others (attention sinks), and behind the last one no token comes.
struct jacobian_prompts {
  token_sequences ids;     // of this shard
  std::size_t chosen = 0;  // of all shards
};

// Stretches without a position that counts are left out, and how many these are is logged. Errors: those of
// read_sequences; data where none is left; usage where none is left for the shard.
jacobian_prompts read_jacobian_prompts(const jacobian_request& request, const opened_model& model);

}  // namespace depthlens
