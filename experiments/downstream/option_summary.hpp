// SPDX-License-Identifier: Apache-2.0
// What all prompts of a task say about its options at each layer: rank and probability of each, and how often
// the best of them is the right one, is the one that wins in the end, and is what the layer says at all.
#pragma once

#include "depthlens/study/exact_sum.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

namespace depthlens::downstream {

// An option at a layer of a prompt.
struct option_at_layer {
  std::uint64_t rank;
  double probability;
  std::int64_t token;  // decides between equal ranks: the smaller id
};

// A layer of a prompt.
struct options_at_layer {
  std::int64_t layer = 0;
  std::vector<option_at_layer> options;  // by number of the option
  std::size_t gold = 0;                  // number of the right option
  bool top_is_option = false;            // the layer's top-1 is the token of an option
};

// Sums of one layer. Means are 0..1.
struct option_shares {
  std::vector<rank_counts> ranks;        // by option
  std::vector<exact_sum> probabilities;  // by option
  exact_sum mass;                        // probability of all options together
  std::uint64_t n = 0;                   // prompts
  std::uint64_t correct = 0;             // the best option is gold
  std::uint64_t agreed = 0;              // the best option is the best of the last layer
  std::uint64_t top_in_options = 0;
  std::uint64_t set_match = 0;  // the first ranks are those of the options
};

class option_summary {
 public:
  // Layers of a prompt come together, in order.
  void add(options_at_layer layer) { prompt_.push_back(std::move(layer)); }

  void end_prompt() {
    if (prompt_.empty()) return;
    ++prompts_;
    const std::size_t last = best(prompt_.back());
    for (const options_at_layer& at : prompt_) count(at, last);
    prompt_.clear();
  }

  std::uint64_t prompts() const noexcept { return prompts_; }
  std::map<std::int64_t, option_shares>& layers() noexcept { return layers_; }

 private:
  static std::size_t best(const options_at_layer& at) {
    std::size_t best = 0;
    for (std::size_t o = 1; o < at.options.size(); ++o) {
      const option_at_layer &a = at.options[o], &b = at.options[best];
      if (a.rank < b.rank || (a.rank == b.rank && a.token < b.token)) best = o;
    }
    return best;
  }

  void count(const options_at_layer& at, std::size_t last) {
    option_shares& s = layers_[at.layer];
    s.ranks.resize(std::max(s.ranks.size(), at.options.size()));
    s.probabilities.resize(s.ranks.size());
    double mass = 0;
    bool all_first = true;
    for (std::size_t o = 0; o < at.options.size(); ++o) {
      s.ranks[o].add(at.options[o].rank);
      s.probabilities[o].add(at.options[o].probability);
      mass += at.options[o].probability;
      all_first = all_first && at.options[o].rank <= at.options.size();
    }
    s.mass.add(mass);
    const std::size_t winner = best(at);
    ++s.n;
    s.correct += winner == at.gold;
    s.agreed += winner == last;
    s.top_in_options += at.top_is_option;
    s.set_match += all_first;
  }

  std::map<std::int64_t, option_shares> layers_;
  std::vector<options_at_layer> prompt_;
  std::uint64_t prompts_ = 0;
};

}  // namespace depthlens::downstream
