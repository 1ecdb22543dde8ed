// SPDX-License-Identifier: Apache-2.0
// Computes the packs of a wave on several threads, in the order of pack_schedule.hpp, and work that can wait
// while a thread has no pack to compute.
#pragma once

#include "depthlens/abi/backend.h"
#include "engine/pack_schedule.hpp"
#include "engine/packs.hpp"

#include <tbb/task_group.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

namespace depthlens {

// fn(0) .. fn(n - 1), in any order and at once. [any thread]
struct idle_work {
  std::size_t n = 0;
  std::function<void(std::size_t)> fn;
};

class pack_runner {
 public:
  // Called with what the pack keeps, once, as soon as other packs may use it.
  using on_kept = std::function<void(dlens_prefix*)>;
  // number: of the pack in its wave. [any thread]
  using compute_pack = std::function<void(std::size_t number, const dlens_prefix* prefix, const on_kept&)>;
  struct limits {
    std::size_t kept_tokens, threads;
  };

  // What is kept is freed by `model`. All outlives the runner.
  pack_runner(const dlens_model* model, std::span<const pack> wave, const limits& at_most,
              compute_pack compute, idle_work idle = {});
  ~pack_runner();
  pack_runner(const pack_runner&) = delete;

  // Returns the most tokens that were kept at a time. Throws the first error, after what was in flight has
  // ended.
  std::size_t run();

 private:
  void spawn();  // under guard_
  void work();
  void finish(std::int32_t number, dlens_prefix* kept);
  void release(dlens_prefix* p);

  const dlens_model* model_;
  const std::span<const pack> packs_;
  const compute_pack compute_;
  const idle_work idle_;
  std::mutex guard_;
  pack_schedule schedule_;
  std::vector<dlens_prefix*> kept_;  // by pack
  const std::size_t most_at_once_;
  std::size_t waiting_ = 0;    // tasks that have not begun
  std::size_t computing_ = 0;  // that have begun
  std::size_t next_idle_ = 0;
  tbb::task_group tasks_;
};

}  // namespace depthlens
