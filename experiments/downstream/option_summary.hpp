// SPDX-License-Identifier: Apache-2.0
// What all prompts of a task say about its options at each layer: rank and probability of each, and how often
// the best of them is the right one, is the one that wins in the end, and is what the layer says at all.
#pragma once

#include "depthlens/study/clustered.hpp"
#include "depthlens/study/clusters.hpp"
#include "depthlens/study/exact_sum.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
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

// Sums of one option at one layer, over the prompts that have it.
struct option_sums {
  clustered_rows rows;
  rank_counts ranks;
  clustered_mean probability;
  void add(const cluster_weights& of, const option_at_layer& at) {
    rows.add(of);
    ranks.add(at.rank);
    probability.add(of, at.probability);
  }
};

// Of an option in all prompts, in those whose answer it is, and in the others.
enum class option_is : std::size_t { any, right, wrong, count };
inline constexpr std::array option_is_names = {"any", "right", "wrong"};

template <class T>
using by_group = std::array<T, static_cast<std::size_t>(option_is::count)>;

// Sums of one layer. Means are 0..1.
struct option_shares {
  std::vector<by_group<option_sums>> options;
  clustered_rows rows;      // prompts
  clustered_mean mass;      // probability of all options together
  clustered_share correct;  // the best option is gold
  clustered_share agreed;   // the best option is the best of the last layer
  clustered_share top_in_options;
  clustered_share set_match;  // the first ranks are those of the options
};

class option_summary {
 public:
  // Layers of a prompt come together, in order.
  void add(options_at_layer layer) { prompt_.push_back(std::move(layer)); }

  void end_prompt(const cluster_weights& of) {
    if (prompt_.empty()) return;
    ++prompts_;
    clusters_.add(of.key(), {});
    chance_.add(1.0 / static_cast<double>(prompt_.back().options.size()));
    const std::size_t last = best(prompt_.back());
    if (option_clusters_.size() < prompt_.back().options.size())
      option_clusters_.resize(prompt_.back().options.size());
    for (std::size_t o = 0; o < prompt_.back().options.size(); ++o)
      for (const option_is group : groups_of(prompt_.back(), o))
        option_clusters_[o][static_cast<std::size_t>(group)].add(of.key(), {});
    for (const options_at_layer& at : prompt_) count(of, at, last);
    prompt_.clear();
  }

  bool in_prompt() const noexcept { return !prompt_.empty(); }
  std::uint64_t prompts() const noexcept { return prompts_; }
  std::uint64_t clusters() { return clusters_.size(); }
  // Of the prompts of an option.
  std::uint64_t clusters(std::size_t option, std::size_t group) {
    return option_clusters_[option][group].size();
  }
  // Share of right answers where an option is drawn at random.
  double chance() const { return chance_.mean().value_or(0); }
  std::map<std::int64_t, option_shares>& layers() noexcept { return layers_; }

 private:
  static std::array<option_is, 2> groups_of(const options_at_layer& at, std::size_t option) {
    return {option_is::any, option == at.gold ? option_is::right : option_is::wrong};
  }
  static std::size_t best(const options_at_layer& at) {
    std::size_t best = 0;
    for (std::size_t o = 1; o < at.options.size(); ++o) {
      const option_at_layer &a = at.options[o], &b = at.options[best];
      if (a.rank < b.rank || (a.rank == b.rank && a.token < b.token)) best = o;
    }
    return best;
  }

  void count(const cluster_weights& of, const options_at_layer& at, std::size_t last) {
    option_shares& s = layers_[at.layer];
    if (s.options.size() < at.options.size()) s.options.resize(at.options.size());
    double mass = 0;
    bool all_first = true;
    for (std::size_t o = 0; o < at.options.size(); ++o) {
      for (const option_is group : groups_of(at, o))
        s.options[o][static_cast<std::size_t>(group)].add(of, at.options[o]);
      mass += at.options[o].probability;
      all_first = all_first && at.options[o].rank <= at.options.size();
    }
    const std::size_t winner = best(at);
    s.rows.add(of);
    s.mass.add(of, mass);
    s.correct.add(of, winner == at.gold);
    s.agreed.add(of, winner == last);
    s.top_in_options.add(of, at.top_is_option);
    s.set_match.add(of, all_first);
  }

  std::map<std::int64_t, option_shares> layers_;
  std::vector<options_at_layer> prompt_;
  std::uint64_t prompts_ = 0;
  exact_sum chance_;
  cluster_set clusters_;
  std::vector<by_group<cluster_set>> option_clusters_;
};

}  // namespace depthlens::downstream
