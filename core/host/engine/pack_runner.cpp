// SPDX-License-Identifier: Apache-2.0
#include "engine/pack_runner.hpp"

#include <algorithm>
#include <utility>

namespace depthlens {

pack_runner::pack_runner(const dlens_model* model, std::span<const pack> wave, const limits& at_most,
                         compute_pack compute, idle_work idle)
    : model_(model),
      packs_(wave),
      compute_(std::move(compute)),
      idle_(std::move(idle)),
      schedule_(wave, at_most.kept_tokens),
      kept_(wave.size(), nullptr),
      most_at_once_(at_most.threads) {}

pack_runner::~pack_runner() {
  for (dlens_prefix* p : kept_) release(p);
}

std::size_t pack_runner::run() {
  {
    const std::lock_guard lock(guard_);
    spawn();
  }
  tasks_.wait();
  return schedule_.most_kept_tokens();
}

void pack_runner::spawn() {
  const std::size_t ready = schedule_.ready() + (idle_.n - next_idle_);
  const std::size_t n = std::min(ready, most_at_once_ - std::min(computing_, most_at_once_));
  for (; waiting_ < n; ++waiting_) tasks_.run([this] { work(); });
}

// The task takes what should start next when it comes to run.
void pack_runner::work() {
  std::int32_t number = -1;
  std::size_t idle = idle_.n;
  const dlens_prefix* prefix = nullptr;
  {
    const std::lock_guard lock(guard_);
    --waiting_;
    number = schedule_.take();
    if (number < 0 && next_idle_ < idle_.n) idle = next_idle_++;
    if (number < 0 && idle == idle_.n) return;
    ++computing_;
    if (number >= 0 && packs_[number].prefix >= 0) prefix = kept_[packs_[number].prefix];
  }
  if (number >= 0)
    return compute_(static_cast<std::size_t>(number), prefix,
                    [this, number](dlens_prefix* kept) { finish(number, kept); });
  idle_.fn(idle);
  const std::lock_guard lock(guard_);
  --computing_;
  spawn();
}

// What is no longer needed is freed before another pack may begin to keep: the limit holds at every moment.
void pack_runner::finish(std::int32_t number, dlens_prefix* kept) {
  const std::lock_guard lock(guard_);
  --computing_;
  kept_[number] = kept;
  for (const std::int32_t freed : schedule_.finish(number)) release(std::exchange(kept_[freed], nullptr));
  spawn();
}

void pack_runner::release(dlens_prefix* p) {
  if (p != nullptr) model_->prefix_release(model_, p);
}

}  // namespace depthlens
