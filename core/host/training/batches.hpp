// SPDX-License-Identifier: Apache-2.0
// Which sequences a step of training takes, and the pack they make. Every sequence comes once, in an order
// drawn anew for each time through the text; the order follows from the seed alone.
#pragma once

#include "depthlens/abi/backend.h"
#include "training/text_sequences.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace depthlens {

// Positions of a sequence that are not read: so many first ones and last ones.
struct unread_positions {
  std::size_t first = 1, last = 0;
};

// The batch points into it.
class training_pack {
 public:
  // long_positions: of the model.
  training_pack(const token_sequences& all, std::span<const std::size_t> chosen, std::uint32_t long_positions,
                const unread_positions& unread = {});
  training_pack(const training_pack&) = delete;
  const dlens_batch& batch() const { return batch_; }
  std::uint32_t positions() const { return batch_.n_reads; }

 private:
  std::vector<std::int32_t> tokens_, parent_, position_;
  std::vector<std::uint8_t> rope_long_;
  std::vector<std::uint32_t> reads_, target_begin_;
  dlens_batch batch_{};
};

class batch_order {
 public:
  // `all` outlives it.
  batch_order(const token_sequences& all, std::size_t positions, std::uint64_t seed);

  // The sequences of the next step: at least `positions` positions behind the first.
  std::vector<std::size_t> next();

 private:
  void draw();

  const token_sequences& all_;
  const std::size_t positions_;
  const std::uint64_t seed_;
  std::uint64_t round_ = 0;  // through the text
  std::vector<std::size_t> order_;
  std::size_t at_ = 0;
};

}  // namespace depthlens
