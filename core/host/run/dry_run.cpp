// SPDX-License-Identifier: Apache-2.0
#include "run/dry_run.hpp"

#include "results/state_files.hpp"
#include "run/counted_run.hpp"

#include <iomanip>
#include <iostream>
#include <string>

namespace depthlens {
namespace {

void print_line(const char* name, const std::string& text) {
  std::cout << std::left << std::setw(19) << name << text << '\n';
}

void print_counts(const run_inputs& inputs, const evaluation_counts& c) {
  print_line("records", cat(inputs.records_wanted()));
  print_line("positions read", cat(c.positions_read));
  print_line("tokens given", cat(c.tokens_given));
  print_line("distinct prefixes", cat(c.distinct_prefixes));
  print_line("tokens to compute", cat(c.tokens_computed));
  constexpr double giga = 1e9;
  print_line("products", cat(std::fixed, std::setprecision(0), product_flops(inputs, c) / giga,
                             " GFLOP; depthlens bench tells how many a second this machine does"));
}

void print_states(const run_context& context, const counted_states& states) {
  if (context.state_layers.empty()) return;
  const std::size_t L = context.state_layers.size();
  print_line(
      "states kept",
      cat(states.places, states.places == 1 ? " place" : " places", " at ", L, L == 1 ? " layer" : " layers",
          ", ", memory_words(bytes_of_states(context, states.places)), " in files and as much in the log",
          states.more ? "; those of what is said are not counted" : ""));
}

void print_memory(const memory_plan& plan, const evaluation_counts& counts, std::uint64_t kept_token_bytes) {
  const std::uint64_t kept = counts.most_kept_tokens * kept_token_bytes;
  const std::string form =
      plan.streamed ? cat(" at a time of ", memory_words(plan.all_weights), ", streamed; held from ",
                          plan.option(), " ", (plan.least_held >> 20) + 1, "M")
                    : ", held";
  print_line("weights", memory_words(plan.weights) + form);
  print_line("kept prefixes", kept > 0 ? "at most " + memory_words(kept) : "none");
  if (plan.streamed) {
    print_line("states", cat(memory_words(counts.most_wave_bytes), " in the largest wave; there is room for ",
                             memory_words(plan.wave)));
    print_line("waves", cat(counts.waves, ", each reading the model's file once"));
  }
  print_line(plan.on_device ? "lenses, scratch" : "program, scratch",
             "at most " + memory_words(plan.program + plan.calls));
  const std::uint64_t all = memory_of(plan, counts, kept_token_bytes);
  print_line(plan.on_device ? "device memory" : "memory",
             cat("at most ", memory_words(all), " of ", memory_words(plan.budget.bytes), " (",
                 plan.budget.source, ")"));
}

}  // namespace

int dry_run(run_inputs& inputs, registry& plugins) {
  const counted_run run = count_run(inputs, plugins);
  print_counts(inputs, run.counts);
  print_states(inputs.context, run.states);
  if (run.plan) print_memory(run.plan->memory, run.counts, run.advice.kept_token_bytes);
  std::cout << "Rounds after the first (white space asked again, --seed-compat) are not counted.\n";
  if (run.assumed)
    std::cout << "Packs and kept prefixes are as on a processor in f32: no run in --out says what backend "
              << run.backend << " advises.\n";
  return 0;
}

}  // namespace depthlens
