// SPDX-License-Identifier: Apache-2.0
#include "model/memory_plan.hpp"

#include "depthlens/base/abi_error.hpp"
#include "process/plugin_call.hpp"
#include "terminal/log.hpp"

#include <algorithm>
#include <utility>

namespace depthlens {
namespace {

// Estimated, not measured: the same run must come to the same plan whenever it is asked.
constexpr std::uint64_t for_libraries = 24u << 20;  // and the program's own threads, of which few compute
constexpr std::uint64_t for_vocabulary_id = 192;    // of the tokenizer's tables
constexpr std::uint64_t for_tables = 64u << 20;     // records, readings and tables on their way
constexpr std::uint64_t for_thread = 10u << 20;     // a thread's stack, and what its allocator keeps
// Of half of the smallest wave, and of a call in flight on held weights: that many of the tokens are read.
constexpr std::uint64_t fewest_tokens = 256, fewest_reads = 64;

bool is_on_device(const dlens_model_needs& needs) { return needs.device_bytes > 0; }

// The user's budget of the memory that the weights lie in, by what bounds that.
granted_memory grant_for(const work_rules& rules, const dlens_model_needs& needs) {
  if (is_on_device(needs))
    return grant(rules.device_memory, {{needs.device_bytes, "free on the device", false}});
  return grant(rules.memory, memory_bounds(rules.threads));
}

std::uint64_t calls_in_flight(const work_rules& rules, const dlens_model_needs& needs) {
  return needs.calls > 0 ? std::min<std::uint64_t>(rules.threads, needs.calls) : rules.threads;
}

}  // namespace

std::uint64_t program_bytes(const work_rules& rules, std::uint32_t vocab_size) {
  return for_libraries + for_vocabulary_id * vocab_size + for_tables + rules.threads * for_thread;
}

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
  options.device_memory = grant_for(rules, needs).bytes;
  needs.size = sizeof needs;
  checked_call(backend->needs, weights, &std::as_const(options), &needs);
  return needs;
}

void require_use(const work_rules& rules, const dlens_model_needs* needs) {
  if (needs == nullptr) {
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
  if (plan.asks_more_than_there_is())
    log_warning(cat(plan.asked, " is more than ",
                    plan.on_device ? "is free on the device" : "this process may have", ": ",
                    memory_words(plan.budget.there_is.bytes)));
  if (plan.fits()) return;
  const std::uint64_t least = (plan.least >> 20) + 1;
  fail(status::unavailable, "the model does not fit: ", memory_words(plan.budget.bytes), " may be taken (",
       plan.budget.source, "); the least that would do is ", plan.option(), " ", least, "M",
       plan.least > plan.budget.most.bytes
           ? cat(", for which a limit must be raised: ", plan.budget.most.source)
           : "",
       plan.remedy);
}

std::string words_of(const memory_plan& plan) {
  return cat("weights are streamed: ", memory_words(plan.weights), " of ", memory_words(plan.all_weights),
             plan.on_device ? " on the device" : " in memory", " at a time, waves of at most ",
             memory_words(plan.wave), " (", plan.budget.source, " = ", memory_words(plan.budget.bytes), ")");
}

namespace {

// What takes less, of what the user may choose.
std::string remedy(const work_rules& rules) {
  std::string out;
  if (rules.threads > 1) out = "fewer --threads";
  if (rules.precision == "f32") out += cat(out.empty() ? "" : " or ", "--precision bf16");
  return out.empty() ? out : cat("; ", out, " take", rules.threads > 1 ? "" : "s", " less");
}

}  // namespace

memory_plan plan_memory(const work_rules& rules, const dlens_model_needs& needs, std::uint64_t program_bytes,
                        std::uint64_t lens_bytes) {
  memory_plan plan;
  plan.budget = grant_for(rules, needs);
  plan.on_device = is_on_device(needs);
  plan.asked = (plan.on_device ? rules.device_memory : rules.memory).said;
  plan.all_weights = needs.held_bytes;
  const std::uint64_t calls = calls_in_flight(rules, needs);
  plan.program = lens_bytes + (plan.on_device ? 0 : program_bytes);
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
  plan.least_held = held + kept / 4;
  if (needs.stages == 0 || !rules.streaming || held + plan.kept <= plan.budget.bytes) return plan;
  if (plan.least_held <= plan.budget.bytes) {
    plan.kept = plan.budget.bytes - held;
    return plan;
  }
  plan.streamed = true;
  plan.weights = needs.streamed_bytes;
  const std::uint64_t half_wave = fewest_tokens * needs.bytes_per_token + fewest_reads * needs.bytes_per_read;
  plan.least = fixed + plan.weights + 2 * half_wave;
  if (!plan.fits()) {
    plan.remedy = remedy(rules);
    return plan;
  }
  const std::uint64_t left = plan.budget.bytes - fixed - plan.weights;
  plan.kept = std::min<std::uint64_t>(kept, left / 8);
  plan.wave = left - plan.kept;
  return plan;
}

std::optional<model_plan> plan_model(const dlens_backend* backend, const dlens_weights* weights,
                                     const work_rules& rules, std::uint64_t lens_bytes) {
  const auto needs = needs_of(backend, weights, rules);
  if (!needs) return std::nullopt;
  const std::uint64_t program = program_bytes(rules, weights->architecture->vocab_size);
  return model_plan{*needs, plan_memory(rules, *needs, program, lens_bytes)};
}

}  // namespace depthlens
