// SPDX-License-Identifier: Apache-2.0
#include "comparison/paired_divergence.hpp"

#include "comparison/joined_states.hpp"
#include "comparison/paired_tables.hpp"
#include "comparison/state_rows.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/study/clustered.hpp"
#include "model/vocabulary_divergence.hpp"
#include "process/stop_signal.hpp"
#include "terminal/progress.hpp"

#include <tbb/parallel_for.h>
#include <xxhash.h>

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

// The clusters of places, which come in ascending order. A prompt without one is one.
class place_clusters {
 public:
  place_clusters(const compared_run& run, const compared_run& other, std::string study)
      : run_(run), other_(other), study_(std::move(study)) {}

  const cluster_weights& of(const kept_place& place) {
    if (set_ != place.set) open(place.set);
    const std::uint64_t key = clusters_ ? clusters_->of(place.prompt)
                                        : XXH3_64bits_withSeed(place.set.data(), place.set.size(),
                                                               static_cast<std::uint64_t>(place.prompt));
    if (!weights_ || weights_->key() != key) weights_.emplace(key);
    return *weights_;
  }

 private:
  void open(const std::string& set) {
    set_ = set;
    const std::string table = set.empty() ? study_ : study_ + "_" + set;
    std::optional<std::filesystem::path> prompts = prompts_of(run_, study_, table);
    if (!prompts) prompts = prompts_of(other_, study_, table);
    clusters_.reset();
    if (prompts) clusters_.emplace(*prompts);
  }

  const compared_run &run_, &other_;
  std::string study_;
  std::optional<std::string> set_;
  std::optional<prompt_clusters> clusters_;
  std::optional<cluster_weights> weights_;
};

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
        pairs_(joined_states(run.run, mine_, other.run, others_, study)),
        clusters_(run.run, other.run, study),
        sums_(layers_.size()),
        cells_(layers_.size()) {
    out_.joined = pairs_.size();
    out_.of_run_alone = mine_.rows().size() - out_.joined;
    out_.of_other_alone = others_.rows().size() - out_.joined;
    if (!pairs_.empty() &&
        (mine_.width() != run.model.arch().d_model || others_.width() != other.model.arch().d_model))
      fail(status::data, run.run.folder.string(), ", ", other.run.folder.string(),
           ": states are not as wide as the models");
  }

  paired_divergence all() {
    if (pairs_.empty()) return refused("no place is in both runs");
    if (layers_.empty()) return refused("no layer's states are in both runs");
    found_.resize(pairs_.size() * layers_.size());
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
        const auto& [a, b] = pairs_[i / layers_.size()];
        mine.push_back(mine_.state(*a, layers_[i % layers_.size()]));
        others.push_back(others_.state(*b, layers_[i % layers_.size()]));
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
    for (std::size_t i = 0; i < found_.size(); ++i) {
      const std::size_t layer = i % layers_.size();
      if (std::isnan(found_[i].forward)) {
        ++out_.not_finite;
        continue;
      }
      const cluster_weights& of = clusters_.of(pairs_[i / layers_.size()].first->place);
      sums_[layer].rows.add(of);
      sums_[layer].forward.add(of, found_[i].forward);
      sums_[layer].reverse.add(of, found_[i].reverse);
      cells_.add(of.key(), layer);
    }
  }

  void summarise() {
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      const kept_place& place = pairs_[i].first->place;
      const bool another = i == 0 || pairs_[i - 1].first->place.set != place.set ||
                           pairs_[i - 1].first->place.prompt != place.prompt;
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
  std::vector<pair_of_rows> pairs_;
  place_clusters clusters_;
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
