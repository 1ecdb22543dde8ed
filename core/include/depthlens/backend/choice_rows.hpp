// SPDX-License-Identifier: Apache-2.0
// For backends: puts what routers chose where the host asked for it (dlens_choices of abi/backend.h).
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/backend/checked_architecture.hpp"
#include "depthlens/base/error.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace depthlens {

// Of one pack. Thread-safe for rows of different reads or blocks.
class choice_rows {
 public:
  // to: NULL = nothing is wanted. The architecture outlives it. Errors: status::internal for room of another
  // shape than the model's.
  choice_rows(const dlens_choices* to, const owned_architecture& arch) : to_(to) {
    if (to_ == nullptr) return;
    if (!DLENS_HAS(dlens_choices, to_, entropy) || to_->reserved != 0)
      fail(status::internal, "choices of experts are asked for by an older interface");
    std::uint32_t n_used = 0;
    for (const block_shape& b : arch.blocks) {
      slot_.push_back(n_blocks_);
      if (!b.experts) continue;
      ++n_blocks_;
      n_used = std::max(n_used, b.experts->n_used);
    }
    if (to_->n_blocks != n_blocks_ || to_->n_used != n_used)
      fail(status::internal, "choices of ", to_->n_used, " experts in ", to_->n_blocks,
           " blocks are asked for; the model chooses ", n_used, " in ", n_blocks_);
  }

  bool wanted() const { return to_ != nullptr; }

  // Of a block with experts: ids and weights (n_used), the best first, for each of the reads.
  template <class Id, class Weight>
  void put(std::uint32_t layer, std::span<const std::uint32_t> reads, std::span<const Id> ids,
           std::span<const Weight> weights, double entropy) const {
    for (const std::uint32_t read : reads) {
      const std::size_t at = std::size_t{read} * n_blocks_ + slot_[layer], row = at * to_->n_used;
      to_->entropy[at] = static_cast<float>(entropy);
      for (std::size_t i = 0; i < to_->n_used; ++i) {
        to_->expert[row + i] = i < ids.size() ? static_cast<std::int32_t>(ids[i]) : -1;
        to_->weight[row + i] = i < ids.size() ? static_cast<float>(weights[i]) : 0.0f;
      }
    }
  }

 private:
  const dlens_choices* to_;
  std::vector<std::uint32_t> slot_;  // (n_layers) place of a block among those with experts
  std::uint32_t n_blocks_ = 0;
};

}  // namespace depthlens
