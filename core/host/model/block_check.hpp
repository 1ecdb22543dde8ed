// SPDX-License-Identifier: Apache-2.0
// Do the blocks of a backend compute what the weights say? One block of each kind, from the states that the
// backend itself has before it, against the reference in double (depthlens/reference/model.hpp): attention,
// recurrences, experts, norms, gates, what is told of a layer. What enters block 0 is compared as well.
//
// Errors of rounding are told from others by their size. In float32 a block is off by about 1e-6 of what it
// adds, and by 1e-5 where scores are large or terms cancel: 1e-4 is ten times that. Where weights and states
// are rounded to bf16 (by 2^-9) or f16 (2^-12), products are off by about that share, and a softmax by the
// rounding of its scores, which may be 20 and more: 64 roundings. What is wrong by less is not seen; an op
// that is left out or another makes differences about as large as what it adds.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/reference/model.hpp"
#include "model/block_kinds.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace depthlens {

struct block_check_options {
  std::uint32_t blocks = UINT32_MAX;  // the first ones, none behind which runs; UINT32_MAX: all run
  double unit = 0;                    // relative rounding of weights and states; 0: float32
};

// Where states are not those of the reference.
struct block_fault {
  std::uint32_t layer = 0;  // that the states enter
  std::string what;
  bool not_a_number = false;
};

struct block_check_result {
  bool given = false;                      // the backend gave its states
  double largest_difference = 0;           // of what a block adds
  std::vector<std::uint32_t> checked;      // blocks
  std::vector<std::uint32_t> not_checked;  // of the kinds that were passed over, the first blocks
  std::optional<block_fault> fault;        // the first one
};

class block_check {
 public:
  // The weights outlive it and are read as they are needed. token: the first one of the sequence.
  block_check(const dlens_weights& weights, std::int32_t token, const block_check_options& o);

  // A sequence whose states are wanted: long enough for a convolution, its tokens far apart.
  const std::vector<std::int32_t>& ids() const { return ids_; }
  // How many blocks must have run for that.
  std::uint32_t blocks_to_run() const { return blocks_to_run_; }
  // What a backend is to overwrite: (T, n_layers + 1, D).
  std::vector<float> room() const;

  block_check_result run(const std::vector<float>& hidden) const;

 private:
  using rows = std::vector<reference::row>;
  void compare_embeddings(const std::vector<float>& hidden, block_check_result& r) const;
  void check_kind(const block_kind& kind, const std::vector<float>& hidden, block_check_result& r) const;
  bool check_block(std::uint32_t layer, const std::string& ops, const std::vector<float>& hidden,
                   block_check_result& r) const;
  double tolerance() const { return 1e-4 + 64 * unit_; }
  // Of a router's products, as routing_margin has it: the states that it sees are off by as much.
  double routing_error() const { return 1e-4 + 16 * unit_; }
  std::size_t first_position(std::uint32_t layer) const;
  rows states(const std::vector<float>& hidden, std::uint32_t layer) const;

  double unit_;
  reference::model reference_;
  std::vector<block_kind> kinds_;
  std::vector<std::uint64_t> block_sizes_;  // (n_layers) weights that a token meets
  std::vector<std::int32_t> ids_;
  std::uint32_t blocks_to_run_ = 0;
};

}  // namespace depthlens
