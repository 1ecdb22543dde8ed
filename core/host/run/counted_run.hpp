// SPDX-License-Identifier: Apache-2.0
// The work that a run would take, counted and not done: for --dry-run and for plans of shards.
#pragma once

#include "engine/evaluator.hpp"
#include "model/backend_advice.hpp"
#include "model/memory_plan.hpp"
#include "plugins/registry.hpp"
#include "run/run_inputs.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace depthlens {

// Places whose states are kept, in the first rounds; more of them where what is said is read too.
struct counted_states {
  std::uint64_t places = 0;
  bool more = false;
};

struct counted_run {
  std::string backend;
  evaluation_counts counts;
  std::optional<model_plan> plan;  // where the backend says what it will take
  backend_advice advice;
  counted_states states;  // of --save-states
  bool assumed = false;   // the advice: no backend was asked
};

// Loads no weights. Throws where the run could not begin: a plan that does not fit, two results of one name.
// [main]
counted_run count_run(run_inputs& inputs, registry& plugins);

// The states alone, of the records that are `wanted`; all of them where it is empty. Where a stop is asked
// for meanwhile they are not all counted.
counted_states count_states(run_inputs& inputs,
                            const std::function<bool(std::size_t study, const record_key&)>& wanted);

// Of the products of blocks and unembedding; attention is a few percent more.
double product_flops(const run_inputs& inputs, const evaluation_counts& counts);

// Bytes, at most.
std::uint64_t memory_of(const memory_plan& plan, const evaluation_counts& counts,
                        std::uint64_t kept_token_bytes);

}  // namespace depthlens
