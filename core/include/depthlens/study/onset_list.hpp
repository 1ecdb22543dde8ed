// SPDX-License-Identifier: Apache-2.0
// The onsets of many prompts at the thresholds of the density figures, packed: the table of onsets is ordered
// by threshold and says in each row how many prompts there are, so it cannot be written before the last
// prompt is known. A prompt takes 13 bytes where layers are below 127 and prompts come in order.
#pragma once

#include "depthlens/study/onset.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>

namespace depthlens {

class onset_list {
 public:
  static constexpr std::size_t thresholds = density_thresholds.size();

  // One prompt: ranks (L) at layers (L), ascending, none negative.
  void add(std::uint64_t prompt_id, std::span<const std::int64_t> layers,
           std::span<const std::uint64_t> ranks) {
    const std::uint64_t step = prompt_id - last_;  // modulo 2^64: ids may fall
    put(step >> 63 != 0 ? ~(step << 1) : step << 1);
    last_ = prompt_id;
    ++size_;
    for (std::size_t i = 0; i < thresholds; ++i) {
      const auto first = first_onset(layers, ranks, density_thresholds[i]);
      put(packed(first));
      put(packed(stable_onset(layers, ranks, density_thresholds[i])));
      with_first_[i] += first.has_value();
    }
  }

  std::uint64_t size() const noexcept { return size_; }
  // Prompts that have a first onset at a threshold.
  std::uint64_t with_first(std::size_t threshold) const { return with_first_[threshold]; }

  // Calls fn(prompt_id, first, stable) for each prompt, in the order of add.
  template <class Function>
  void each(std::size_t threshold, const Function& fn) const {
    std::uint64_t prompt_id = 0;
    for (auto at = bytes_.begin(); at != bytes_.end();) {
      const std::uint64_t step = take(at);
      prompt_id += (step & 1) != 0 ? ~(step >> 1) : step >> 1;
      std::array<std::uint64_t, 2 * thresholds> layers;
      for (std::uint64_t& layer : layers) layer = take(at);
      fn(prompt_id, layer_of(layers[2 * threshold]), layer_of(layers[2 * threshold + 1]));
    }
  }

 private:
  using bytes = std::deque<std::uint8_t>;  // grows in pieces, and never holds twice what it has

  static std::uint64_t packed(std::optional<std::int64_t> layer) {
    return layer ? static_cast<std::uint64_t>(*layer) + 1 : 0;
  }
  static std::optional<std::int64_t> layer_of(std::uint64_t packed) {
    return packed == 0 ? std::nullopt : std::optional(static_cast<std::int64_t>(packed - 1));
  }
  // Seven bits per byte, the lowest first; the last byte is below 128.
  void put(std::uint64_t v) {
    for (; v >= 128; v >>= 7) bytes_.push_back(static_cast<std::uint8_t>(v | 128));
    bytes_.push_back(static_cast<std::uint8_t>(v));
  }
  static std::uint64_t take(bytes::const_iterator& at) {
    std::uint64_t v = 0;
    for (unsigned shift = 0;; shift += 7) {
      const std::uint64_t byte = *at++;
      v |= (byte & 127) << shift;
      if (byte < 128) return v;
    }
  }

  bytes bytes_;
  std::uint64_t size_ = 0, last_ = 0;
  std::array<std::uint64_t, thresholds> with_first_{};
};

}  // namespace depthlens
