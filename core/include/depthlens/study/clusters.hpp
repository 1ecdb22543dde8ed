// SPDX-License-Identifier: Apache-2.0
// Which prompts belong together: the cluster of a record, which tables of prompts have as a column, the
// cluster of the rows that come in, and how many different clusters there are.
#pragma once

#include "depthlens/abi/names.h"
#include "depthlens/base/hash.hpp"
#include "depthlens/experiment.hpp"
#include "depthlens/study/resampling.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace depthlens {

// Column of every table of prompts.
inline constexpr std::string_view cluster_column = "cluster";

// XXH3 of what a record shares with others: its subject, else the text that its prompt begins, else the
// prompt itself; of a record that has none of them its number. As the column has it: the same 64 bits,
// signed, and never missing, for a column with gaps is read as one of floats, which do not hold them.
inline std::int64_t cluster_of(const record_view& record) {
  for (const char* const field : {DLENS_FIELD_SUBJECT, DLENS_FIELD_TEXT, DLENS_FIELD_PROMPT})
    if (const auto text = record.find(field)) return static_cast<std::int64_t>(xxh3_64(*text));
  return static_cast<std::int64_t>(record.index());
}

// Follows the rows of finish: the rows of a record come behind its line in a table of prompts.
class current_cluster {
 public:
  // prompts: the numbers of the tables of prompts.
  current_cluster(const description& tables, std::vector<std::uint32_t> prompts)
      : prompts_(std::move(prompts)), column_(tables.column_of(prompts_.at(0), cluster_column)) {}

  // Any row, in order.
  void see(const dlens_row& row) {
    if (std::find(prompts_.begin(), prompts_.end(), row.table) == prompts_.end()) return;
    const auto key = static_cast<std::uint64_t>(column_.i64(row));
    if (!weights_ || weights_->key() != key) weights_.emplace(key);
  }
  // Of the row that was seen last.
  const cluster_weights& weights() const {
    if (!weights_) fail(status::internal, "a row comes before its prompt");
    return *weights_;
  }

 private:
  std::vector<std::uint32_t> prompts_;
  row_column column_;
  std::optional<cluster_weights> weights_;
};

// How many different clusters there are, and how many of them have a value of at most some bound, for each of
// N kinds of values: 8 + 4 N bytes for each.
template <std::size_t N>
class cluster_minima {
 public:
  using values = std::array<std::uint32_t, N>;

  void add(std::uint64_t key, const values& v) {
    if (!fresh_.empty() && fresh_.back().key == key) return lower(fresh_.back(), v);
    fresh_.push_back({key, v});
    if (fresh_.size() >= std::max<std::size_t>(1024, all_.size() / 4)) merge();
  }
  std::uint64_t size() {
    merge();
    return all_.size();
  }
  // Clusters whose value of a kind is `most` or less.
  std::uint64_t up_to(std::size_t kind, std::uint32_t most) {
    merge();
    return static_cast<std::uint64_t>(
        std::count_if(all_.begin(), all_.end(), [&](const entry& e) { return e.lowest[kind] <= most; }));
  }
  // Different clusters of this and another together.
  std::uint64_t size_with(cluster_minima& other) {
    merge(), other.merge();
    std::uint64_t shared = 0;
    auto at = other.all_.begin();
    for (const entry& e : all_) {
      while (at != other.all_.end() && at->key < e.key) ++at;
      shared += at != other.all_.end() && at->key == e.key ? 1 : 0;
    }
    return all_.size() + other.all_.size() - shared;
  }

 private:
  struct entry {
    std::uint64_t key;
    values lowest;
  };
  static void lower(entry& to, const values& v) {
    for (std::size_t i = 0; i < N; ++i) to.lowest[i] = std::min(to.lowest[i], v[i]);
  }
  void merge() {
    if (fresh_.empty()) return;
    all_.insert(all_.end(), fresh_.begin(), fresh_.end());
    fresh_.clear();
    std::sort(all_.begin(), all_.end(), [](const entry& a, const entry& b) { return a.key < b.key; });
    std::size_t n = 0;
    for (const entry& e : all_) {
      if (n > 0 && all_[n - 1].key == e.key)
        lower(all_[n - 1], e.lowest);
      else
        all_[n++] = e;
    }
    all_.resize(n);
  }

  std::vector<entry> all_;    // ascending
  std::vector<entry> fresh_;  // not yet among them
};

using cluster_set = cluster_minima<0>;

// How many different clusters have something in each of a fixed number of cells: 8 bytes and a bit for each
// cell for each cluster. What a cluster has comes together, or in a few parts.
class cluster_cells {
 public:
  explicit cluster_cells(std::size_t n_cells)
      : n_cells_(n_cells), words_((n_cells + 63) / 64), open_(words_) {}

  void add(std::uint64_t key, std::size_t cell) {
    if (key_ != key) close();
    key_ = key;
    open_[cell / 64] |= std::uint64_t{1} << (cell % 64);
  }
  // Of each cell.
  std::vector<std::uint64_t> counts() {
    close(), merge();
    std::vector<std::uint64_t> out(n_cells_);
    for (std::size_t i = 0; i < keys_.size(); ++i)
      for (std::size_t cell = 0; cell < n_cells_; ++cell)
        out[cell] += bits_[i * words_ + cell / 64] >> (cell % 64) & 1;
    return out;
  }

 private:
  void close() {
    if (!key_) return;
    keys_.push_back(*key_);
    bits_.insert(bits_.end(), open_.begin(), open_.end());
    std::fill(open_.begin(), open_.end(), 0);
    key_.reset();
    if (keys_.size() >= 2 * std::max<std::size_t>(1024, merged_)) merge();
  }
  void merge() {
    std::vector<std::size_t> order(keys_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return keys_[a] < keys_[b]; });
    std::vector<std::uint64_t> keys, bits;
    for (const std::size_t i : order) {
      if (keys.empty() || keys.back() != keys_[i]) {
        keys.push_back(keys_[i]);
        bits.resize(bits.size() + words_);
      }
      for (std::size_t w = 0; w < words_; ++w) bits[bits.size() - words_ + w] |= bits_[i * words_ + w];
    }
    keys_ = std::move(keys), bits_ = std::move(bits);
    merged_ = keys_.size();
  }

  std::size_t n_cells_, words_;
  std::optional<std::uint64_t> key_;  // of `open_`
  std::vector<std::uint64_t> open_, keys_, bits_;
  std::size_t merged_ = 0;
};

}  // namespace depthlens
