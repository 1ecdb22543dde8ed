// SPDX-License-Identifier: Apache-2.0
#include "training/batches.hpp"

#include "depthlens/data/cuts.hpp"

#include <numeric>
#include <utility>

namespace depthlens {

training_pack::training_pack(const token_sequences& all, std::span<const std::size_t> chosen,
                             std::uint32_t long_positions, const unread_positions& unread) {
  bool any_long = false;
  for (const std::size_t s : chosen) {
    const bool is_long = long_positions > 0 && all[s].size() > long_positions;
    any_long = any_long || is_long;
    rope_long_.insert(rope_long_.end(), all[s].size(), is_long ? 1 : 0);
    for (std::size_t i = 0; i < all[s].size(); ++i) {
      if (i >= unread.first && i + unread.last < all[s].size())
        reads_.push_back(static_cast<std::uint32_t>(tokens_.size()));
      parent_.push_back(i > 0 ? static_cast<std::int32_t>(tokens_.size()) - 1 : -1);
      tokens_.push_back(all[s][i]);
      position_.push_back(static_cast<std::int32_t>(i));
    }
  }
  target_begin_.assign(reads_.size() + 1, 0);
  batch_.size = sizeof batch_;
  batch_.n_tokens = static_cast<std::uint32_t>(tokens_.size());
  batch_.tokens = tokens_.data();
  batch_.parent = parent_.data();
  batch_.position = position_.data();
  batch_.n_reads = static_cast<std::uint32_t>(reads_.size());
  batch_.read_token = reads_.data();
  batch_.target_begin = target_begin_.data();
  batch_.rope_long = any_long ? rope_long_.data() : nullptr;
}

batch_order::batch_order(const token_sequences& all, std::size_t positions, std::uint64_t seed)
    : all_(all), positions_(positions), seed_(seed) {
  draw();
}

void batch_order::draw() {
  cut_generator random(seed_, round_++);
  order_.resize(all_.size());
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  for (std::size_t i = order_.size(); i > 1; --i)
    std::swap(order_[i - 1], order_[static_cast<std::size_t>(random.below(i))]);
  at_ = 0;
}

std::vector<std::size_t> batch_order::next() {
  std::vector<std::size_t> out;
  for (std::size_t positions = 0; positions < positions_;) {
    if (at_ == order_.size()) draw();
    out.push_back(order_[at_++]);
    positions += all_[out.back()].size() - 1;
  }
  return out;
}

}  // namespace depthlens
