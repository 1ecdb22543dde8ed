// SPDX-License-Identifier: Apache-2.0
#include "comparison/paired_differences.hpp"

#include "comparison/table_rows.hpp"
#include "depthlens/base/error.hpp"
#include "depthlens/study/clustered.hpp"
#include "process/stop_signal.hpp"

#include <array>
#include <cmath>
#include <map>
#include <tuple>
#include <utility>

namespace depthlens {
namespace {

// Means of the same rows in both runs.
class mean_difference {
 public:
  explicit mean_difference(int bits) : bits_(bits) {}

  void add(const cluster_weights& of, double mine, double others) {
    rows_.add(of);
    mine_.add(mine), others_.add(others);
    const std::uint32_t a = in_steps(mine, bits_), b = in_steps(others, bits_);
    a >= b ? steps_.add(of, a - b) : steps_.subtract(of, b - a);
  }
  void append(std::string_view measure, std::uint32_t layer, std::uint64_t n_clusters,
              std::vector<paired_difference>& to) const {
    const std::optional<double> mine = mine_.mean(), others = others_.mean();
    if (!mine || !others) return;
    resampled_values values;
    for (std::size_t r = 0; r < n_resamples; ++r)
      if (rows_.weights()[r] != 0)
        values.add(std::ldexp(static_cast<double>(static_cast<std::int64_t>(steps_[r])), -bits_) /
                   static_cast<double>(rows_.weights()[r]));
    const std::optional<double> above = n_clusters < 2 ? std::nullopt : values.above_zero();
    to.push_back({.measure = std::string(measure),
                  .layer = layer,
                  .difference = *mine - *others,
                  .ends = values.ends(n_clusters),
                  .above_zero = above,
                  .n = rows_.n(),
                  .n_clusters = n_clusters});
  }

 private:
  int bits_;
  exact_sum mine_, others_;
  resampled_sum steps_;  // of the differences, modulo 2^64
  clustered_rows rows_;
};

// How often the top-1 is another one.
class differing_guesses {
 public:
  void add(const cluster_weights& of, bool differ) {
    rows_.add(of);
    share_.add(of, differ);
  }
  void append(const char* measure, std::optional<std::uint32_t> layer, std::uint64_t n_clusters,
              std::vector<paired_difference>& to) const {
    const std::optional<double> share = share_.of(rows_);
    if (!share) return;
    to.push_back({.measure = measure,
                  .layer = layer,
                  .difference = *share,
                  .ends = share_.ends(rows_, n_clusters),
                  .above_zero = {},
                  .n = rows_.n(),
                  .n_clusters = n_clusters});
  }

 private:
  clustered_rows rows_;
  clustered_share share_;
};

int bits_of(std::size_t measure) {
  const auto m = static_cast<row_measure>(measure);
  return m == row_measure::probability || m == row_measure::gold_probability ? probability_bits : nat_bits;
}

// All sums over the pairs of rows.
class pair_sums {
 public:
  // n_layers: of both; nothing where they are not the same.
  explicit pair_sums(std::optional<unsigned> n_layers)
      : n_layers_(n_layers),
        layers_(n_layers ? *n_layers + 1 : 0),
        cells_((n_row_measures + 1) * layers_ + 1) {
    for (std::size_t m = 0; m < n_row_measures; ++m) means_[m].resize(layers_, mean_difference(bits_of(m)));
    guesses_.resize(layers_);
  }

  void add(const cluster_weights& of, const table_row_values& mine, const table_row_values& others) {
    if (n_layers_)
      for (std::size_t m = 0; m < n_row_measures; ++m) {
        if (std::isnan(mine.values[m]) || std::isnan(others.values[m])) continue;
        means_[m][mine.layer].add(of, mine.values[m], others.values[m]);
        cells_.add(of.key(), m * layers_ + mine.layer);
      }
    if (n_layers_ && mine.guess && others.guess) {
      guesses_[mine.layer].add(of, *mine.guess != *others.guess);
      cells_.add(of.key(), n_row_measures * layers_ + mine.layer);
    }
    if (!mine.output || !others.output) return;
    outputs_.add(of, *mine.output != *others.output);
    cells_.add(of.key(), (n_row_measures + 1) * layers_);
  }

  std::vector<paired_difference> differences() {
    std::vector<paired_difference> out;
    const std::vector<std::uint64_t> clusters = cells_.counts();
    for (std::size_t m = 0; m < n_row_measures; ++m)
      for (std::uint32_t layer = 0; layer < layers_; ++layer)
        means_[m][layer].append(name_of(static_cast<row_measure>(m)), layer, clusters[m * layers_ + layer],
                                out);
    for (std::uint32_t layer = 0; layer < layers_; ++layer)
      guesses_[layer].append("guess_differs", layer, clusters[n_row_measures * layers_ + layer], out);
    outputs_.append("final_differs", std::nullopt, clusters.back(), out);
    return out;
  }

 private:
  std::optional<unsigned> n_layers_;
  std::size_t layers_;
  cluster_cells cells_;
  std::array<std::vector<mean_difference>, n_row_measures> means_;  // by layer
  std::vector<differing_guesses> guesses_;                          // by layer
  differing_guesses outputs_;
};

class row_pairs {
 public:
  row_pairs(const compared_run& run, const compared_run& other, const paired_table& tables)
      : n_layers_(run.n_layers),
        others_layers_(other.n_layers),
        same_layers_(run.n_layers == other.n_layers),
        mine_(tables.rows, rows_of_model(run)),
        others_(tables.other_rows, rows_of_model(other)),
        sums_(same_layers_ ? std::optional(run.n_layers) : std::nullopt) {
    if (tables.prompts) clusters_.emplace(*tables.prompts);
  }

  paired_rows all() {
    bool more = mine_.next(), others_more = others_.next();
    while (more || others_more) {
      if (stop_asked()) fail(status::stopped, "stopped while rows were compared; nothing is written");
      const bool take_mine = more && (!others_more || mine_.prompt() <= others_.prompt());
      const bool take_others = others_more && (!more || others_.prompt() <= mine_.prompt());
      if (take_mine && take_others)
        join();
      else
        (take_mine ? out_.of_run_alone : out_.of_other_alone) += (take_mine ? mine_ : others_).rows().size();
      if (take_mine) more = mine_.next();
      if (take_others) others_more = others_.next();
      if (!mine_.ascends() || !others_.ascends()) return refused("its prompts are not in ascending order");
      if (alike_) return refused("rows of one prompt, position and layer cannot be told apart");
    }
    out_.differences = sums_.differences();
    if (out_.joined == 0) out_.not_paired = "no row is in both runs";
    return std::move(out_);
  }

 private:
  using row_key = std::tuple<std::int64_t, std::string, std::uint32_t>;

  // Of models with different layers the outputs are the same row.
  row_key key_of(const table_row_values& row) const {
    return {row.position, row.more, same_layers_ ? row.layer : 0};
  }
  bool counts(const table_row_values& row, unsigned n_layers) const {
    return same_layers_ || row.layer == n_layers;
  }

  void join() {
    std::map<row_key, const table_row_values*> of_other;
    for (const table_row_values& row : others_.rows())
      if (counts(row, others_layers_)) alike_ |= !of_other.emplace(key_of(row), &row).second;
    const std::uint64_t key =
        clusters_ ? clusters_->of(mine_.prompt()) : static_cast<std::uint64_t>(mine_.prompt());
    if (!weights_ || weights_->key() != key) weights_.emplace(key);
    std::uint64_t joined = 0;
    for (const table_row_values& row : mine_.rows()) {
      if (!counts(row, n_layers_)) continue;
      const auto at = of_other.find(key_of(row));
      if (at == of_other.end()) continue;
      alike_ |= at->second == nullptr;
      if (alike_) return;
      sums_.add(*weights_, row, *std::exchange(at->second, nullptr));
      ++joined;
    }
    out_.joined += joined;
    out_.of_run_alone += mine_.rows().size() - joined;
    out_.of_other_alone += others_.rows().size() - joined;
  }

  paired_rows refused(const char* why) {
    paired_rows out;
    out.not_paired = why;
    return out;
  }

  unsigned n_layers_, others_layers_;
  bool same_layers_;
  table_rows mine_, others_;
  pair_sums sums_;
  std::optional<prompt_clusters> clusters_;
  std::optional<cluster_weights> weights_;
  bool alike_ = false;
  paired_rows out_;
};

}  // namespace

paired_rows pair_rows(const compared_run& run, const compared_run& other, const paired_table& tables) {
  if (run.key_text("tokenizer_sha256") != other.key_text("tokenizer_sha256")) {
    paired_rows out;
    out.not_paired = "the models have different tokenizers, so neither positions nor ids are the same";
    return out;
  }
  return row_pairs(run, other, tables).all();
}

}  // namespace depthlens
