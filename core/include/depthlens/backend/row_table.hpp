// SPDX-License-Identifier: Apache-2.0
// For backends: what is known of the rows of one stack of readouts while tiles of the vocabulary go by, and,
// when all have gone, the readings. The row of plan row r and site i is r * sites + i: the final outputs come
// first.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/backend/read_sites.hpp"
#include "depthlens/backend/row_measures.hpp"
#include "depthlens/backend/row_state.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace depthlens {

// A target of a site of the stack, the k-th one there.
struct site_target {
  std::size_t site, k;
  std::int32_t id;
};

inline std::vector<site_target> site_targets(std::span<const read_site> sites) {
  std::vector<site_target> out;
  for (std::size_t i = 0; i < sites.size(); ++i)
    for (std::size_t k = 0; k < sites[i].targets.size(); ++k) out.push_back({i, k, sites[i].targets[k]});
  return out;
}

// Logits (n_rows, stride) of rows first_row..
struct logit_block {
  const float* logits;
  std::size_t stride, first_row, n_rows;
};

// Copies would point into the original's memory.
class row_table {
 public:
  // For top-1 alone: one row a site, no targets.
  explicit row_table(std::size_t n_sites) : row_table(n_sites, 1, 1) { tie_rows({}); }
  // For all measures of plan_rows rows a site. The final outputs' maxima, finals (sites), are known from the
  // start.
  row_table(std::span<const read_site> sites, std::size_t plan_rows, std::uint32_t top_k,
            std::span<const top_entry> finals)
      : row_table(sites.size(), plan_rows, top_k) {
    std::size_t n_targets = 0;
    for (const read_site& site : sites) n_targets += site.targets.size();
    targets.resize(n_targets * plan_rows);
    tie_rows(sites);
    restart(finals);
  }
  row_table(const row_table&) = delete;
  row_table& operator=(const row_table&) = delete;

  // Forgets all that was seen but the targets' logits.
  void restart(std::span<const top_entry> finals) {
    for (target_state& target : targets) target.above = target.equal = 0;
    for (std::size_t r = 0; r < states.size(); ++r) {
      row_state& s = states[r];
      row_state fresh;
      fresh.targets = s.targets, fresh.n_targets = s.n_targets, fresh.top = s.top, fresh.top_k = s.top_k;
      if (r < n_sites) fresh.maximum = finals[r].logit;
      s = fresh;
    }
  }

  // Takes the logit of a row's k-th target. False if it is another, to the bit, than was known.
  bool take_logit(std::size_t row, std::size_t k, float logit) {
    float& known = states[row].targets[k].logit;
    const bool equal = std::bit_cast<std::uint32_t>(known) == std::bit_cast<std::uint32_t>(logit);
    known = logit;
    return equal;
  }
  // The same for all rows of the target's site in a block, from one of its columns.
  bool take_target(const site_target& place, const logit_block& block, std::size_t column) {
    bool equal = true;
    const std::size_t skipped = (place.site + n_sites - block.first_row % n_sites) % n_sites;
    for (std::size_t i = skipped; i < block.n_rows; i += n_sites)
      equal &= take_logit(block.first_row + i, place.k, block.logits[i * block.stride + column]);
    return equal;
  }
  // The same for the targets among the ids first_id.. of the block's columns.
  bool take_targets(std::span<const site_target> places, const logit_block& block, std::int64_t first_id) {
    bool equal = true;
    for (const site_target& place : places) {
      const std::int64_t column = place.id - first_id;
      if (column >= 0 && column < static_cast<std::int64_t>(block.stride))
        equal &= take_target(place, block, static_cast<std::size_t>(column));
    }
    return equal;
  }

  // To the host's buffers, one for each lens; row_of_lens as in row_plan.
  void write(const dlens_batch& batch, std::span<const read_site> sites, std::size_t vocabulary,
             const std::vector<std::vector<std::size_t>>& row_of_lens,
             const dlens_readings* const* readings) {
    for (row_state& row : states) complete_top(row, static_cast<std::int32_t>(vocabulary));
    for (std::size_t lens = 0; lens < row_of_lens.size(); ++lens) {
      const column_of of{batch, *readings[lens], row_of_lens[lens].size(), vocabulary};
      for (std::size_t layer = 0; layer < row_of_lens[lens].size(); ++layer) {
        for (std::size_t i = 0; i < n_sites; ++i) {
          const row_state& row = states[row_of_lens[lens][layer] * n_sites + i];
          write_targets(of, layer, sites[i], row);
          write_row(of, layer, sites[i], row, states[i]);
        }
      }
    }
  }

  const std::size_t n_sites;
  const std::uint32_t top_k;
  std::vector<row_state> states;      // (rows)
  std::vector<target_state> targets;  // for each row those of its site
  std::vector<top_entry> tops;        // (rows, top_k)

 private:
  static constexpr float lowest = -std::numeric_limits<float>::infinity();

  // Where the readings of one lens go.
  struct column_of {
    const dlens_batch& batch;
    const dlens_readings& out;
    std::size_t n_layers, vocabulary;
  };

  row_table(std::size_t sites, std::size_t plan_rows, std::uint32_t k)
      : n_sites(sites),
        top_k(k),
        states(sites * plan_rows),
        tops(sites * plan_rows * k, top_entry{lowest, 0}) {}

  void tie_rows(std::span<const read_site> sites) {
    target_state* target = targets.data();
    for (std::size_t r = 0; r < states.size(); ++r) {
      row_state& s = states[r];
      s.targets = target;
      s.n_targets = sites.empty() ? 0 : static_cast<std::uint32_t>(sites[r % n_sites].targets.size());
      s.top = tops.data() + r * top_k;
      s.top_k = top_k;
      target += s.n_targets;
    }
  }

  // Where NaN or -infinity left places free: the smallest ids that are not in yet.
  static void complete_top(row_state& row, std::int32_t vocabulary) {
    const std::uint32_t n_found = row.n_top;
    for (std::int32_t id = 0; id < vocabulary && row.n_top < row.top_k; ++id) {
      const bool found =
          std::any_of(row.top, row.top + n_found, [id](const top_entry& e) { return e.id == id; });
      if (!found) row.top[row.n_top++] = {lowest, id};
    }
    while (row.n_top < row.top_k) row.top[row.n_top++] = {lowest, -1};
  }

  template <class T>
  static void put(T* buffer, std::size_t at, T value) {
    if (buffer) buffer[at] = value;
  }

  static void write_targets(const column_of& of, std::size_t layer, const read_site& site,
                            const row_state& row) {
    const double total = log_sum(row);
    std::size_t k = 0;
    for (const std::uint32_t read : site.reads) {
      for (std::size_t t = of.batch.target_begin[read]; t < of.batch.target_begin[read + 1]; ++t, ++k) {
        const target_state& target = row.targets[k];
        const bool undefined = std::isnan(target.logit);
        const std::size_t at = t * of.n_layers + layer;
        put(of.out.rank, at, undefined ? static_cast<std::uint32_t>(of.vocabulary) : target.above + 1);
        put(of.out.ties, at, undefined || target.equal == 0 ? 0u : target.equal - 1);
        put(of.out.logprob, at, static_cast<float>(static_cast<double>(target.logit) - total));
      }
    }
  }

  static void write_row(const column_of& of, std::size_t layer, const read_site& site, const row_state& row,
                        const row_state& final_row) {
    const double total = log_sum(row), entropy = entropy_of(row);
    const double kl = of.out.kl ? kl_of(row, final_row) : 0;
    for (const std::uint32_t read : site.reads) {
      const std::size_t at = read * of.n_layers + layer;
      put(of.out.entropy, at, static_cast<float>(entropy));
      put(of.out.kl, at, static_cast<float>(kl));
      for (std::uint32_t j = 0; j < row.top_k; ++j) {
        put(of.out.top, at * row.top_k + j, row.top[j].id);
        put(of.out.top_logprob, at * row.top_k + j,
            static_cast<float>(static_cast<double>(row.top[j].logit) - total));
      }
    }
  }
};

}  // namespace depthlens
