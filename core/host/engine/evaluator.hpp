// SPDX-License-Identifier: Apache-2.0
// Runs many token sequences through a backend and hands back what was asked for at their positions: plans the
// work (planned_work.hpp), calls forward on its packs in parallel, in the order of pack_schedule.hpp, and
// gives each reading to the caller as soon as it is there. Weights that are streamed go through memory stage
// by stage, once for each wave of packs; held ones are the case of one wave and one stage.
#pragma once

#include "depthlens/abi/backend.h"
#include "engine/asked_work.hpp"
#include "engine/pack_rules.hpp"
#include "model/expert_layout.hpp"
#include "model/lens.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace depthlens {

// What one lens says at one position, over its L layers.
struct lens_reading {
  std::vector<std::uint32_t> rank, ties;  // (K, L)
  std::vector<float> logprob;             // (K, L)
  std::vector<float> entropy, kl;         // (L)
  std::vector<std::int32_t> top;          // (L, top_k)
  std::vector<float> top_logprob;         // (L, top_k)
  bool finite = true;  // every entropy and KL is a number: so were all logits, those of the output too
};

// What routers chose at one position: in each of X blocks U experts, the best first; -1 and 0 fill up where a
// block uses fewer.
struct expert_choices {
  std::vector<std::int32_t> expert;  // (X, U)
  std::vector<float> weight;         // (X, U)
  std::vector<float> entropy;        // (X) of the router, nats
};

// (n_used of the x-th block) ids, the best first.
inline std::span<const std::int32_t> experts_at(const expert_choices& c, std::size_t x, std::size_t U) {
  const auto all = std::span(c.expert).subspan(x * U, U);
  return all.first(static_cast<std::size_t>(std::find(all.begin(), all.end(), -1) - all.begin()));
}

// Everything read at one distinct prefix; shared by all that asked for it.
struct site_readings {
  std::int32_t final_top = -1;
  std::vector<std::int32_t> targets;  // (K) sorted, as asked for: -1 = final top-1
  std::vector<lens_reading> lenses;   // in the order of the evaluator's lenses
  std::uint32_t top_k = 1;            // of the lenses' lists
  std::vector<float> hidden;          // (n_layers + 1, D), where a request wants it
  expert_choices choices;             // empty = not asked for
};

struct evaluation_counts {
  std::uint64_t tokens_given = 0;       // summed over sequences, up to their last position read
  std::uint64_t distinct_prefixes = 0;  // nodes of the forest
  std::uint64_t tokens_computed = 0;    // ancestors computed again included
  std::uint64_t positions_read = 0;
  std::uint64_t most_kept_tokens = 0;  // whose keys and values are held for other packs at a time
  std::uint64_t most_wave_bytes = 0;   // states of the largest wave, where weights are streamed
  std::uint64_t waves = 0;             // times that the weights go through memory, where they are streamed

  // With those of work that is done after.
  evaluation_counts& operator+=(const evaluation_counts& other) {
    tokens_given += other.tokens_given;
    distinct_prefixes += other.distinct_prefixes;
    tokens_computed += other.tokens_computed;
    positions_read += other.positions_read;
    most_kept_tokens = std::max(most_kept_tokens, other.most_kept_tokens);
    most_wave_bytes = std::max(most_wave_bytes, other.most_wave_bytes);
    waves += other.waves;
    return *this;
  }
};

// The work that such a run takes, without running it.
evaluation_counts count_work(const asked_work& asked, const pack_rules& rules);

// What is kept of the routers' choices: X blocks with experts, U experts each; 0 = nothing.
struct choice_size {
  std::uint32_t n_blocks = 0, n_used = 0;
};
inline choice_size choices_of(const expert_layout& l) {
  return {static_cast<std::uint32_t>(l.blocks.size()), l.n_used};
}

struct reading_options {
  std::uint32_t top_k = 1;   // most likely tokens of every reading, or as many as a request wants
  double row_weight = 0.25;  // what reading one layer costs, in tokens
  std::size_t n_states = 0;  // n_layers + 1: of the residual stream of a read, where one is wanted
  std::size_t d_model = 0;   // D: of each of them
  choice_size choices = {};  // of every reading
  active_lens output = {};   // that reads layer n alone, for requests of output_only
};

struct call_options;

class evaluator {
 public:
  // Called from several threads at once, once for each request.
  using on_result = std::function<void(std::size_t request, std::shared_ptr<const site_readings>)>;

  // The model and lenses outlive the evaluator.
  evaluator(const dlens_model* model, std::vector<active_lens> lenses, const work_rules& rules,
            const reading_options& options = {});

  // Called where streamed weights come to the next stage: "wave 1 of 2, stage 3 of 34"; share: of all stages
  // of all waves, those that are done.
  using on_stage = std::function<void(std::string where, double share)>;
  // Throws the first error of a pack, after the other packs in flight have ended; status::unavailable for
  // edits where the model does not offer depthlens.intervene/1. States that edits are made of are computed
  // first, and held until the end.
  evaluation_counts run(const asked_work& asked, const on_result& done, const on_stage& at_stage = {}) const;
  std::size_t state_bytes() const { return state_floats() * sizeof(float); }  // of a place, so held
  // What the backend says of it.
  std::string device() const { return model_->info(model_)->device; }

 private:
  // Of one kind of request, by these lenses.
  evaluation_counts read(const asked_work& asked, const std::vector<active_lens>& lenses,
                         const on_result& done, const on_stage& at_stage) const;
  evaluation_counts read_planned(const asked_work& asked, const call_options& options, const on_result& done,
                                 const on_stage& at_stage) const;

  std::size_t state_floats() const { return options_.n_states * options_.d_model; }

  const dlens_model* model_;
  std::vector<active_lens> lenses_;
  pack_rules rules_;
  reading_options options_;
  std::function<void()> check_weights_;
};

}  // namespace depthlens
