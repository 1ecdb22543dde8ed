// SPDX-License-Identifier: Apache-2.0
#include "model/block_check.hpp"

#include "depthlens/base/text.hpp"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace depthlens {
namespace {

constexpr std::size_t tokens_wanted = 5;         // a convolution of 4 and its past
constexpr std::size_t tries = 4;                 // blocks of a kind, where the first ones cannot be told
constexpr std::size_t most_kinds = 16;           // a file may have a kind for each block
constexpr std::uint64_t small_block = 30000000;  // weights; 0.1 s for each token and core
constexpr std::uint32_t untouched = 0x7FC0DEAD;  // a NaN

const reference::row_loop in_parallel = [](std::size_t n, const auto& fn) {
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, n, 128),
                    [&](const tbb::blocked_range<std::size_t>& r) { fn(r.begin(), r.end()); });
};

bool is_finite(const reference::row& h) {
  return std::all_of(h.begin(), h.end(), [](double x) { return std::isfinite(x); });
}

double size_of(const reference::row& h) {
  double sum = 0;
  for (const double x : h) sum += x * x;
  return std::sqrt(sum);
}

double distance(const reference::row& a, const reference::row& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

// "dimension 5 is 1.5, by the weights 1.25" of the largest difference.
std::string largest_of(const reference::row& got, const reference::row& want) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < got.size(); ++i)
    if (!(std::abs(got[i] - want[i]) <= std::abs(got[at] - want[at]))) at = i;
  return cat("dimension ", at, " is ", got[at], ", by the weights it is ", want[at]);
}

std::vector<std::uint64_t> sizes_of_blocks(const dlens_weights& weights) {
  const dlens_architecture& all = *weights.architecture;
  std::vector<double> sums(all.n_layers);
  for (std::uint64_t i = 0; i < weights.n_tensors; ++i) {
    const dlens_tensor& t = *weights.tensors[i];
    const block_tensor one = block_tensor_of(t);
    if (one.layer >= sums.size()) continue;
    const dlens_experts* const e = all.blocks[one.layer]->experts;
    const double share = one.is_expert && e != nullptr ? static_cast<double>(e->n_used) / e->n_experts : 1;
    const std::uint64_t values = t.shape[0] * (t.n_dims == 2 ? t.shape[1] : 1);
    sums[one.layer] += share * static_cast<double>(values);
  }
  std::vector<std::uint64_t> out;
  for (const double sum : sums) out.push_back(static_cast<std::uint64_t>(sum));
  return out;
}

}  // namespace

block_check::block_check(const dlens_weights& weights, std::int32_t token, const block_check_options& o)
    : unit_(o.unit),
      reference_(weights, reference::storage::viewed, in_parallel),
      kinds_(block_kinds_of(weights)),
      block_sizes_(sizes_of_blocks(weights)) {
  const owned_architecture& a = reference_.arch();
  if (o.blocks == UINT32_MAX) blocks_to_run_ = a.n_layers();
  for (const block_kind& kind : kinds_)
    if (kind.blocks[0] < o.blocks) blocks_to_run_ = std::max(blocks_to_run_, kind.blocks[0] + 1);
  const std::uint64_t V =
      a.layer_inputs ? std::min(a.all.vocab_size, a.layer_inputs->vocab_size) : a.all.vocab_size;
  std::size_t T = std::min<std::size_t>(tokens_wanted, a.all.max_positions);
  if (a.all.long_positions > 0)
    T = std::min<std::size_t>(T, a.all.long_positions);  // the pack is of that form
  ids_.push_back(token);
  // Rows that are no numbers are for the prompts that have them.
  for (std::uint64_t i = 1; i < 2 * tokens_wanted && ids_.size() < T; ++i) {
    const std::uint64_t id =
        (static_cast<std::uint64_t>(token) + i * V / tokens_wanted + i / tokens_wanted) % V;
    if (is_finite(reference_.embed(static_cast<std::int32_t>(id), 0)))
      ids_.push_back(static_cast<std::int32_t>(id));
  }
}

std::vector<float> block_check::room() const {
  const owned_architecture& a = reference_.arch();
  return std::vector<float>(ids_.size() * (a.n_layers() + std::size_t{1}) * a.all.d_model,
                            std::bit_cast<float>(untouched));
}

block_check_result block_check::run(const std::vector<float>& hidden) const {
  block_check_result r;
  r.given = std::any_of(hidden.begin(), hidden.end(),
                        [](float x) { return std::bit_cast<std::uint32_t>(x) != untouched; });
  if (!r.given) return r;
  compare_embeddings(hidden, r);
  for (std::size_t i = 0; i < kinds_.size() && !r.fault; ++i) {
    if (i < most_kinds && kinds_[i].blocks[0] < blocks_to_run_) {
      check_kind(kinds_[i], hidden, r);
    } else {
      r.not_checked.push_back(kinds_[i].blocks[0]);
    }
  }
  return r;
}

block_check::rows block_check::states(const std::vector<float>& hidden, std::uint32_t layer) const {
  const std::size_t D = reference_.arch().all.d_model, layers = reference_.arch().n_layers() + std::size_t{1};
  rows out;
  for (std::size_t p = 0; p < ids_.size(); ++p) {
    const auto begin = hidden.begin() + static_cast<std::ptrdiff_t>((p * layers + layer) * D);
    out.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(D));
  }
  return out;
}

void block_check::compare_embeddings(const std::vector<float>& hidden, block_check_result& r) const {
  const rows h = states(hidden, 0);
  for (std::size_t p = 0; p < h.size() && !r.fault; ++p) {
    const reference::row want = reference_.embed(ids_[p], p);
    const std::string where = cat("of token ", ids_[p], " at position ", p, ", ");
    if (!is_finite(want) || !is_finite(h[p])) {
      r.fault = {0, cat(where, largest_of(h[p], want)), true};
    } else if (!(distance(h[p], want) <= tolerance() * size_of(want))) {
      r.fault = {
          0, cat("what enters the first block is not the files' embedding: ", where, largest_of(h[p], want)),
          false};
    }
  }
}

void block_check::check_kind(const block_kind& kind, const std::vector<float>& hidden,
                             block_check_result& r) const {
  for (std::size_t i = 0; i < std::min(tries, kind.blocks.size()) && kind.blocks[i] < blocks_to_run_; ++i)
    if (check_block(kind.blocks[i], kind.ops, hidden, r)) return;
  r.not_checked.push_back(kind.blocks[0]);
}

// The last position sees all others; of a large block it is the only one that is computed to the end.
std::size_t block_check::first_position(std::uint32_t layer) const {
  return block_sizes_[layer] <= small_block ? 0 : ids_.size() - 1;
}

// False where roundings may decide which experts are used, at all positions.
bool block_check::check_block(std::uint32_t layer, const std::string& ops, const std::vector<float>& hidden,
                              block_check_result& r) const {
  const rows h0 = states(hidden, 0), before = states(hidden, layer), after = states(hidden, layer + 1);
  std::map<std::uint32_t, reference::keys_and_values> kept;
  const block_shape& shape = reference_.arch().blocks[layer];
  if (shape.shares_kv(layer)) {
    const std::uint32_t from = shape.attention->kv_layer;
    reference_.keep_kv(from, states(hidden, from), kept);
  }
  rows want = before;
  const std::size_t first = first_position(layer);
  std::vector<double> margins;
  reference_.run_block({.layer = layer, .ids = ids_, .h0 = h0, .first = first}, want, kept, &margins);
  bool compared = false;
  for (std::size_t p = first; p < want.size(); ++p) {
    const auto fault = [&](const auto&... what) {
      r.fault = {layer, cat("at position ", p, " (token ", ids_[p], ") ", what..., ". Its ops: ", ops),
                 false};
    };
    if (!is_finite(before[p]) || !is_finite(after[p]) || !is_finite(want[p])) {
      fault("of what block ", layer, " gives, ", largest_of(after[p], want[p]));
      r.fault->not_a_number = true;
      return true;
    }
    if (!(margins[p - first] > routing_error())) continue;
    compared = true;
    const double added = distance(want[p], before[p]), off = distance(after[p], want[p]);
    // The states are float32, before and after and within the block.
    const double stored = std::ldexp(size_of(before[p]) + size_of(want[p]), -22);
    if (!(off <= tolerance() * added + stored)) {
      fault("block ", layer, " is off by ", off / added, " of what it adds, ", tolerance(),
            " at most are roundings: ", largest_of(after[p], want[p]));
      return true;
    }
    if (added > 0) r.largest_difference = std::max(r.largest_difference, off / added);
  }
  if (compared) r.checked.push_back(layer);
  return compared;
}

}  // namespace depthlens
