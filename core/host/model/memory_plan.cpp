// SPDX-License-Identifier: Apache-2.0
#include "model/memory_plan.hpp"

#include "depthlens/base/abi_error.hpp"
#include "process/plugin_call.hpp"
#include "terminal/log.hpp"

#include <algorithm>
#include <utility>

namespace depthlens {
namespace {

constexpr std::uint64_t for_tables = 64u << 20;  // records, readings and tables on their way
constexpr std::uint64_t for_thread = 10u << 20;  // a thread's stack, and what its allocator keeps
// Of half of the smallest wave, and of a call in flight on held weights: that many of the tokens are read.
constexpr std::uint64_t fewest_tokens = 256, fewest_reads = 64;

bool is_on_device(const dlens_model_needs& needs) { return needs.device_bytes > 0; }

// What bounds the memory that the weights lie in, and the user's budget of it.
memory_bound bound_of(const dlens_model_needs& needs) {
  return is_on_device(needs) ? memory_bound{needs.device_bytes, "free on the device"}
                             : smallest_bound(memory_bounds());
}

const memory_budget& budget_of(const work_rules& rules, const dlens_model_needs& needs) {
  return is_on_device(needs) ? rules.device_memory : rules.memory;
}

std::uint64_t calls_in_flight(const work_rules& rules, const dlens_model_needs& needs) {
  return needs.calls > 0 ? std::min<std::uint64_t>(rules.threads, needs.calls) : rules.threads;
}

}  // namespace

std::uint64_t kept_bytes_for(std::uint64_t weight_bytes) {
  constexpr std::uint64_t least = 96u << 20;
  return std::max(least, weight_bytes / 8);
}

dlens_model_options options_of(const work_rules& rules) {
  return {.size = sizeof(dlens_model_options),
          .threads = rules.threads,
          .device = rules.device.c_str(),
          .precision = rules.precision.c_str(),
          .stream = 0,
          .reserved = 0,
          .device_memory = 0};
}

std::optional<dlens_model_needs> needs_of(const dlens_backend* backend, const dlens_weights* weights,
                                          const work_rules& rules) {
  if (!DLENS_HAS(dlens_backend, backend, needs) || backend->needs == nullptr) return std::nullopt;
  dlens_model_needs needs{};
  needs.size = sizeof needs;
  dlens_model_options options = options_of(rules);
  const plugin_call call("backend", backend_name(), "needs");
  checked_call(backend->needs, weights, &std::as_const(options), &needs);
  if (!is_on_device(needs)) return needs;
  options.device_memory = bytes_of(rules.device_memory, bound_of(needs));
  needs.size = sizeof needs;
  checked_call(backend->needs, weights, &std::as_const(options), &needs);
  return needs;
}

void require_use(const work_rules& rules, const std::optional<dlens_model_needs>& needs) {
  if (!needs) {
    for (const memory_budget* budget : {&rules.memory, &rules.device_memory})
      if (!budget->said.empty())
        log_warning(cat(budget->said, ": backend ", backend_name(),
                        " holds all weights and does not say what they take, so nothing keeps it to that"));
  } else if (is_on_device(*needs)) {
    if (rules.memory.by_option())
      log_warning(
          cat(rules.memory.said, ": the weights lie on the device, for which --device-memory counts"));
  } else if (rules.device_memory.by_option()) {
    fail(status::usage, rules.device_memory.said,
         ": the weights lie in the process's own memory here; use --memory");
  }
}

work_rules with_plan(work_rules rules, const memory_plan& plan) {
  rules.kept_bytes = plan.kept;
  rules.wave_bytes = plan.wave;
  return rules;
}

void require_fit(const memory_plan& plan) {
  if (plan.budget > plan.there_is)
    log_warning(cat(plan.source, " is more than ",
                    plan.on_device ? "is free on the device" : "this process may have", ": ",
                    memory_words(plan.there_is)));
  if (plan.fits()) return;
  fail(status::unavailable, "the model does not fit: ", memory_words(plan.budget), " may be taken (",
       plan.source, "); the least that would do is ", plan.option(), " ", (plan.least >> 20) + 1, "M");
}

std::string words_of(const memory_plan& plan) {
  return cat("weights are streamed: ", memory_words(plan.weights), " of ", memory_words(plan.all_weights),
             plan.on_device ? " on the device" : " in memory", " at a time, waves of at most ",
             memory_words(plan.wave), " (", plan.source, " = ", memory_words(plan.budget), ")");
}

memory_plan plan_memory(const work_rules& rules, const dlens_model_needs& needs, std::uint64_t in_use,
                        std::uint64_t lens_bytes) {
  memory_plan plan;
  const memory_bound bound = bound_of(needs);
  plan.on_device = is_on_device(needs);
  plan.budget = bytes_of(budget_of(rules, needs), bound);
  plan.source = source_of(budget_of(rules, needs), bound);
  plan.there_is = bound.bytes;
  plan.all_weights = needs.held_bytes;
  const std::uint64_t calls = calls_in_flight(rules, needs);
  plan.program = lens_bytes + (plan.on_device ? 0 : in_use + for_tables + rules.threads * for_thread);
  plan.calls = calls * needs.call_bytes;
  const std::uint64_t fixed = plan.program + plan.calls;
  const std::uint64_t pack = needs.pack_tokens * needs.bytes_per_token;
  const std::uint64_t held_pack = calls * (pack + fewest_reads * needs.bytes_per_read);
  const std::uint64_t asked_kept = rules.kept_bytes ? rules.kept_bytes : kept_bytes_for(needs.held_bytes);
  const std::uint64_t kept = needs.kept_token_bytes > 0 ? asked_kept : 0;
  const std::uint64_t held = fixed + needs.held_bytes + held_pack;
  plan.kept = kept;
  plan.weights = needs.held_bytes;
  plan.least = held;
  if (needs.stages == 0 || !rules.streaming || held + plan.kept <= plan.budget) return plan;
  if (held + kept / 4 <= plan.budget) {
    plan.kept = plan.budget - held;
    return plan;
  }
  plan.streamed = true;
  plan.weights = needs.streamed_bytes;
  const std::uint64_t half_wave = fewest_tokens * needs.bytes_per_token + fewest_reads * needs.bytes_per_read;
  plan.least = fixed + plan.weights + 2 * half_wave;
  if (!plan.fits()) return plan;
  const std::uint64_t left = plan.budget - fixed - plan.weights;
  plan.kept = std::min<std::uint64_t>(kept, left / 8);
  plan.wave = left - plan.kept;
  return plan;
}

}  // namespace depthlens
