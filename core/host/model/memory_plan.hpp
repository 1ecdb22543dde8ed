// SPDX-License-Identifier: Apache-2.0
// How a model is brought into a memory budget: all weights held, or streamed stage by stage, and what is left
// for everything else. Made before a weight is read.
#pragma once

#include "depthlens/abi/backend.h"
#include "model/memory_budget.hpp"
#include "model/work_rules.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace depthlens {

struct memory_plan {
  granted_memory budget{};
  bool on_device = false;  // it is of each device's own memory, where the weights lie; else of this process
  bool streamed = false;
  // Bytes for: this program, its tables (where it is of this process) and lenses; weights in memory; scratch
  // of the calls in flight; keys and values that packs share; and, where weights are streamed, the states of
  // a wave.
  std::uint64_t program = 0, weights = 0, calls = 0, kept = 0, wave = 0;
  std::uint64_t all_weights = 0;  // those in memory if all were held
  std::uint64_t least = 0;        // budget that would do
  std::uint64_t least_held = 0;   // and with all weights held
  std::string asked;              // the user's own words for the budget, if any
  std::string remedy;             // what would need less, where it does not fit: "; ..."
  bool fits() const { return budget.bytes >= least; }
  bool asks_more_than_there_is() const { return budget.is_less || budget.bytes > budget.there_is.bytes; }
  const char* option() const { return on_device ? "--device-memory" : "--memory"; }
};

// As the backend is asked for the model; views the rules' texts.
dlens_model_options options_of(const work_rules& rules);

// What the backend says that the model takes, by the user's budget where that is of devices; nothing where it
// does not know before it has it. Throws what it reports.
std::optional<dlens_model_needs> needs_of(const dlens_backend* backend, const dlens_weights* weights,
                                          const work_rules& rules);

// How much memory keys and values of shared prefixes may take, beside weights of that size.
std::uint64_t kept_bytes_for(std::uint64_t weight_bytes);

// Throws status::usage for a device's budget where the weights lie in this process's memory; warns where a
// budget counts for nothing. needs: null where the backend does not say them.
void require_use(const work_rules& rules, const dlens_model_needs* needs);

// What the program, its threads and its tables take beside a model of that many ids, about and rather more.
std::uint64_t program_bytes(const work_rules& rules, std::uint32_t vocab_size);

// lens_bytes: of the matrices of lenses.
memory_plan plan_memory(const work_rules& rules, const dlens_model_needs& needs, std::uint64_t program_bytes,
                        std::uint64_t lens_bytes);

struct model_plan {
  dlens_model_needs needs;
  memory_plan memory;
};

// All of the above. Nothing where the backend does not say its needs before it has the model. Throws what
// needs_of throws.
std::optional<model_plan> plan_model(const dlens_backend* backend, const dlens_weights* weights,
                                     const work_rules& rules, std::uint64_t lens_bytes);

// The user's rules with what the plan leaves for the work.
work_rules with_plan(work_rules rules, const memory_plan& plan);

// Throws status::unavailable with the least budget that would do; warns of a budget that is more than there
// is.
void require_fit(const memory_plan& plan);

// "weights are streamed: 1.6 GB of 26.4 GB in memory at a time, waves of at most 3.9 GB (--memory 6G = 6.4
// GB)"
std::string words_of(const memory_plan& plan);

}  // namespace depthlens
