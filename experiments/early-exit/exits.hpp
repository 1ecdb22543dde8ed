// SPDX-License-Identifier: Apache-2.0
// Where a model could have stopped: sums over positions by layer, and by the confidence that an exit asks
// for.
#pragma once

#include "depthlens/study/clustered.hpp"
#include "depthlens/study/clusters.hpp"

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
  clustered_rows rows;
  clustered_share matches;
  clustered_mean confidence, kept;
};

// Exits by one confidence.
struct exit_sums {
  clustered_share matches, early;  // early: before the last layer
  clustered_mean layer{0};         // at which it exits
};

class exits {
 public:
  // thresholds: confidences at which to exit, ascending. n_layers: blocks; the model's own output is layer n.
  exits(std::vector<double> thresholds, std::int64_t n_layers)
      : thresholds_(std::move(thresholds)), n_layers_(n_layers), sweep_(thresholds_.size()) {}

  // Ends the position before.
  void begin_position(const cluster_weights& cluster) {
    end_position();
    cluster_ = cluster;
  }
  // Layers of one position come together, ascending.
  void add(const layer_guess& guess) {
    layer_sums& s = layers_[guess.layer];
    s.rows.add(cluster_);
    s.matches.add(cluster_, guess.match);
    s.confidence.add(cluster_, guess.confidence);
    s.kept.add(cluster_, guess.kept);
    open_.push_back(guess);
  }

  void end_position() {
    if (open_.empty()) return;
    positions_.add(cluster_);
    clusters_.add(cluster_.key(), {});
    for (std::size_t t = 0; t < thresholds_.size(); ++t) {
      const std::optional<layer_guess> at = exit_of(thresholds_[t]);
      exit_sums& s = sweep_[t];
      s.matches.add(cluster_, !at || at->match);
      s.early.add(cluster_, at && at->layer < n_layers_);
      s.layer.add(cluster_, static_cast<double>(at ? at->layer : n_layers_));
    }
    open_.clear();
  }

  const std::map<std::int64_t, layer_sums>& layers() const { return layers_; }
  const std::vector<double>& thresholds() const { return thresholds_; }
  const exit_sums& at(std::size_t threshold) const { return sweep_[threshold]; }
  const clustered_rows& positions() const { return positions_; }
  std::uint64_t clusters() { return clusters_.size(); }

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
  clustered_rows positions_;
  cluster_set clusters_;
  cluster_weights cluster_{0};  // of the position whose layers are coming in
  std::vector<layer_guess> open_;
};

}  // namespace depthlens::early_exit
