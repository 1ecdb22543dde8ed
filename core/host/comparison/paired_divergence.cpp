// SPDX-License-Identifier: Apache-2.0
#include "comparison/paired_divergence.hpp"

#include "comparison/joined_states.hpp"
#include "comparison/state_rows.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/study/clustered.hpp"
#include "model/vocabulary_divergence.hpp"
#include "process/stop_signal.hpp"
#include "terminal/progress.hpp"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>
#include <utility>

namespace depthlens {
namespace {

constexpr std::size_t readings_together = 64, calls_together = 4;

state_rows states_of(const compared_run& run, const std::string& study) {
  return state_rows(run.folder / "states" / study);
}

std::vector<std::uint32_t> common_layers(const state_rows& a, const state_rows& b) {
  std::vector<std::uint32_t> out;
  std::set_intersection(a.layers().begin(), a.layers().end(), b.layers().begin(), b.layers().end(),
                        std::back_inserter(out));
  return out;
}

// Sums are of whole numbers (clustered.hpp): as fine as 32 bits for the largest value allow.
int bits_for(double largest) {
  return largest > 0 ? 31 - static_cast<int>(std::ceil(std::log2(largest))) : 0;
}

struct layer_sums {
  clustered_rows rows;
  clustered_mean forward, reverse;
  double most_forward = 0, most_reverse = 0;
};

class state_pairs {
 public:
  state_pairs(const run_with_model& run, const run_with_model& other, const std::string& study)
      : study_(study),
        n_tokens_(run.model.arch().vocab_size),
        mine_(states_of(run.run, study)),
        others_(states_of(other.run, study)),
        readout_(run.model),
        others_readout_(other.model),
        layers_(common_layers(mine_, others_)),
        places_(joined_states(run.run, mine_, other.run, others_, study)),
        sums_(layers_.size()),
        cells_(layers_.size()) {
    out_.joined = places_.size();
    out_.of_run_alone = mine_.rows().size() - out_.joined;
    out_.of_other_alone = others_.rows().size() - out_.joined;
    if (!places_.empty() &&
        (mine_.width() != run.model.arch().d_model || others_.width() != other.model.arch().d_model))
      fail(status::data, run.run.folder.string(), ", ", other.run.folder.string(),
           ": states are not as wide as the models");
  }

  paired_divergence all() {
    if (places_.empty()) return refused("no place is in both runs");
    if (layers_.empty()) return refused("no layer's states are in both runs");
    found_.resize(places_.size() * layers_.size());
    progress bar(cat("KL of ", study_, ", readings"), found_.size());
    constexpr std::size_t together = readings_together * calls_together;
    for (std::size_t first = 0; first < found_.size(); first += together) {
      const std::size_t last = std::min(found_.size(), first + together);
      compute(first, last);
      if (stop_asked()) fail(status::stopped, "stopped while states were compared; nothing is written");
      bar.add(last - first);
    }
    sum_up();
    summarise();
    return std::move(out_);
  }

 private:
  // Reading i is that of pair i / L at layer i % L.
  void compute(std::size_t first, std::size_t last) {
    const std::size_t calls = (last - first + readings_together - 1) / readings_together;
    tbb::parallel_for(std::size_t{0}, calls, [&](std::size_t call) {
      const std::size_t from = first + call * readings_together,
                        to = std::min(last, from + readings_together);
      std::vector<std::vector<float>> mine, others;
      for (std::size_t i = from; i < to; ++i) {
        const joined_place& place = places_[i / layers_.size()];
        mine.push_back(mine_.state(*place.row, layers_[i % layers_.size()]));
        others.push_back(others_.state(*place.other, layers_[i % layers_.size()]));
      }
      const std::vector<divergence> found = divergences(
          readout_, std::vector<std::span<const float>>(mine.begin(), mine.end()), others_readout_,
          std::vector<std::span<const float>>(others.begin(), others.end()), n_tokens_, stop_asked());
      std::copy(found.begin(), found.end(), found_.begin() + static_cast<std::ptrdiff_t>(from));
    });
  }

  void sum_up() {
    for (std::size_t i = 0; i < found_.size(); ++i) {
      layer_sums& s = sums_[i % layers_.size()];
      s.most_forward = std::max(s.most_forward, found_[i].forward);  // what is no number is passed over
      s.most_reverse = std::max(s.most_reverse, found_[i].reverse);
    }
    for (layer_sums& s : sums_) {
      s.forward = clustered_mean(bits_for(s.most_forward));
      s.reverse = clustered_mean(bits_for(s.most_reverse));
    }
    std::optional<cluster_weights> cluster;
    for (std::size_t i = 0; i < found_.size(); ++i) {
      const std::size_t layer = i % layers_.size();
      if (std::isnan(found_[i].forward)) {
        ++out_.not_finite;
        continue;
      }
      const std::uint64_t key = places_[i / layers_.size()].cluster;
      if (!cluster || cluster->key() != key) cluster.emplace(key);
      sums_[layer].rows.add(*cluster);
      sums_[layer].forward.add(*cluster, found_[i].forward);
      sums_[layer].reverse.add(*cluster, found_[i].reverse);
      cells_.add(key, layer);
    }
  }

  void summarise() {
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const kept_place& place = places_[i].row->place;
      const bool another = i == 0 || places_[i - 1].row->place.set != place.set ||
                           places_[i - 1].row->place.prompt != place.prompt;
      out_.prompts += another ? 1 : 0;
    }
    const std::vector<std::uint64_t> clusters = cells_.counts();
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      const layer_sums& s = sums_[l];
      out_.layers.push_back({.layer = layers_[l],
                             .forward = {s.forward.mean(), s.forward.ends(s.rows, clusters[l])},
                             .reverse = {s.reverse.mean(), s.reverse.ends(s.rows, clusters[l])},
                             .n = s.rows.n(),
                             .n_clusters = clusters[l]});
    }
  }

  paired_divergence refused(const char* why) {
    out_.not_paired = why;
    return std::move(out_);
  }

  paired_divergence out_;
  const std::string& study_;
  std::uint32_t n_tokens_;
  state_rows mine_, others_;
  readout_reference readout_, others_readout_;
  std::vector<std::uint32_t> layers_;
  std::vector<joined_place> places_;
  std::vector<divergence> found_;
  std::vector<layer_sums> sums_;  // by layer
  cluster_cells cells_;
};

}  // namespace

paired_divergence pair_states(const run_with_model& run, const run_with_model& other,
                              const std::string& study) {
  paired_divergence out;
  if (run.run.key_text("tokenizer_sha256") != other.run.key_text("tokenizer_sha256"))
    out.not_paired = "the models have different tokenizers";
  else if (run.model.arch().vocab_size != other.model.arch().vocab_size)
    out.not_paired = cat("the models have ", run.model.arch().vocab_size, " and ",
                         other.model.arch().vocab_size, " tokens");
  else if (run.run.n_layers != other.run.n_layers)
    out.not_paired = "the models have different numbers of blocks";
  if (!out.not_paired.empty()) return out;
  return state_pairs(run, other, study).all();
}

}  // namespace depthlens
