// SPDX-License-Identifier: Apache-2.0
// Where a model could have stopped: sums over positions by layer, and by the confidence that an exit asks
// for.
#pragma once

#include "depthlens/study/exact_sum.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace depthlens::early_exit {

// A layer of a position, as a lens reads it.
struct layer_guess {
  std::int64_t layer = 0;
  double confidence = 0;  // probability of its guess
  double kept = 0;        // probability of the final guess
  bool match = false;     // it guesses what the model says in the end
};

struct layer_sums {
  std::uint64_t n = 0, matches = 0;
  exact_sum confidence, kept;
};

// Exits by one confidence.
struct exit_sums {
  std::uint64_t n = 0, matches = 0, early = 0;  // early: before the last layer
  exact_sum layer;                              // at which it exits
};

class exits {
 public:
  // thresholds: confidences at which to exit, ascending. n_layers: blocks; the model's own output is layer n.
  exits(std::vector<double> thresholds, std::int64_t n_layers)
      : thresholds_(std::move(thresholds)), n_layers_(n_layers), sweep_(thresholds_.size()) {}

  // Layers of one position come together, ascending.
  void add(const layer_guess& guess) {
    layer_sums& s = layers_[guess.layer];
    ++s.n;
    s.matches += guess.match ? 1 : 0;
    s.confidence.add(guess.confidence);
    s.kept.add(guess.kept);
    open_.push_back(guess);
  }

  void end_position() {
    if (open_.empty()) return;
    for (std::size_t t = 0; t < thresholds_.size(); ++t) {
      const std::optional<layer_guess> at = exit_of(thresholds_[t]);
      exit_sums& s = sweep_[t];
      ++s.n;
      s.matches += !at || at->match ? 1 : 0;
      s.early += at && at->layer < n_layers_ ? 1 : 0;
      s.layer.add(static_cast<double>(at ? at->layer : n_layers_));
    }
    open_.clear();
  }

  const std::map<std::int64_t, layer_sums>& layers() const { return layers_; }
  const std::vector<double>& thresholds() const { return thresholds_; }
  const exit_sums& at(std::size_t threshold) const { return sweep_[threshold]; }

 private:
  // The first layer behind a block that is sure enough; nothing = the model runs to its end.
  std::optional<layer_guess> exit_of(double confidence) const {
    for (const layer_guess& g : open_)
      if (g.layer > 0 && g.layer < n_layers_ && g.confidence >= confidence) return g;
    return std::nullopt;
  }

  std::vector<double> thresholds_;
  std::int64_t n_layers_;
  std::map<std::int64_t, layer_sums> layers_;
  std::vector<exit_sums> sweep_;  // (thresholds)
  std::vector<layer_guess> open_;
};

}  // namespace depthlens::early_exit
