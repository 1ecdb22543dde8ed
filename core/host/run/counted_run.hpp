// SPDX-License-Identifier: Apache-2.0
// The work that a run would take, counted and not done: for --dry-run and for plans of shards.
#pragma once

#include "engine/evaluator.hpp"
#include "model/backend_advice.hpp"
#include "model/memory_plan.hpp"
#include "plugins/registry.hpp"
#include "run/run_inputs.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace depthlens {

struct counted_run {
  std::string backend;
  evaluation_counts counts;
  std::optional<model_plan> plan;  // where the backend says what it will take
  backend_advice advice;
  bool assumed = false;  // the advice: no backend was asked
};

// Loads no weights. Throws where the run could not begin: a plan that does not fit, two results of one name.
// [main]
counted_run count_run(run_inputs& inputs, registry& plugins);

// Of the products of blocks and unembedding; attention is a few percent more.
double product_flops(const run_inputs& inputs, const evaluation_counts& counts);

// Bytes, at most.
std::uint64_t memory_of(const memory_plan& plan, const evaluation_counts& counts,
                        std::uint64_t kept_token_bytes);

}  // namespace depthlens
