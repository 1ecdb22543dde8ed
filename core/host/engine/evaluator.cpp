// SPDX-License-Identifier: Apache-2.0
#include "engine/evaluator.hpp"

#include "engine/pack_call.hpp"
#include "engine/pack_schedule.hpp"
#include "engine/planned_work.hpp"

#include <tbb/task_group.h>

#include <algorithm>
#include <mutex>
#include <utility>

namespace depthlens {
namespace {

// The packs of one evaluation as tasks: each task computes the pack that should start next when it comes to
// run.
class pack_runner {
 public:
  // Called with what the pack keeps, once, as soon as other packs may use it.
  using on_kept = std::function<void(dlens_prefix*)>;
  using compute_pack = std::function<void(const pack&, const dlens_prefix* prefix, const on_kept&)>;

  pack_runner(const dlens_model* model, std::span<const pack> packs, const pack_rules& rules,
              compute_pack compute)
      : model_(model),
        packs_(packs),
        compute_(std::move(compute)),
        schedule_(packs, rules.kept_tokens),
        kept_(packs.size(), nullptr),
        most_at_once_(rules.threads) {}
  ~pack_runner() {
    for (dlens_prefix* p : kept_) release(p);
  }
  pack_runner(const pack_runner&) = delete;

  // Returns the most tokens that were kept at a time.
  std::size_t run() {
    {
      const std::lock_guard lock(guard_);
      spawn();
    }
    tasks_.wait();
    return schedule_.most_kept_tokens();
  }

 private:
  void spawn() {
    const std::size_t n = std::min(schedule_.ready(), most_at_once_ - std::min(computing_, most_at_once_));
    for (; waiting_ < n; ++waiting_) tasks_.run([this] { work(); });
  }

  void work() {
    std::int32_t number = -1;
    const dlens_prefix* prefix = nullptr;
    {
      const std::lock_guard lock(guard_);
      --waiting_;
      number = schedule_.take();
      if (number < 0) return;
      ++computing_;
      if (packs_[number].prefix >= 0) prefix = kept_[packs_[number].prefix];
    }
    compute_(packs_[number], prefix, [this, number](dlens_prefix* kept) { finish(number, kept); });
  }

  // What is no longer needed is freed before another pack may begin to keep: the limit holds at every moment.
  void finish(std::int32_t number, dlens_prefix* kept) {
    const std::lock_guard lock(guard_);
    --computing_;
    kept_[number] = kept;
    for (const std::int32_t freed : schedule_.finish(number)) release(std::exchange(kept_[freed], nullptr));
    spawn();
  }

  void release(dlens_prefix* p) {
    if (p != nullptr) model_->prefix_release(model_, p);
  }

  const dlens_model* model_;
  const std::span<const pack> packs_;
  const compute_pack compute_;
  std::mutex guard_;
  pack_schedule schedule_;
  std::vector<dlens_prefix*> kept_;  // by pack
  const std::size_t most_at_once_;
  std::size_t waiting_ = 0;    // tasks that have not begun
  std::size_t computing_ = 0;  // packs whose forward call has not ended
  tbb::task_group tasks_;
};

}  // namespace

evaluator::evaluator(const dlens_model* model, std::vector<active_lens> lenses, const work_rules& rules,
                     const reading_options& options)
    : model_(model), lenses_(std::move(lenses)), options_(options) {
  read_cost cost{.row_weight = options.row_weight};
  for (const active_lens& l : lenses_) cost.layers += l.n_layers;
  rules_ = combine(rules, advice_of(model), cost);
}

evaluation_counts evaluator::run(std::span<const std::vector<std::int32_t>> sequences,
                                 std::span<const read_request> requests, const on_result& done) const {
  const planned_work work(sequences, requests, rules_);
  const auto compute = [&](const pack& p, const dlens_prefix* prefix, const pack_runner::on_kept& finish) {
    pack_call call(work, p, lenses_, options_.top_k, options_.state_floats);
    const bool needed = p.keep >= 0 || !call.sites().empty();
    finish(needed ? call.forward(model_, prefix) : nullptr);
    for (std::size_t r = 0; r < call.sites().size(); ++r) {
      const std::shared_ptr<const site_readings> result = call.result(r);
      for (const std::size_t request : call.sites()[r].reads) done(request, result);
    }
  };
  pack_runner runner(model_, work.packs, rules_, compute);
  evaluation_counts counts = work.counts;
  counts.most_kept_tokens = runner.run();
  return counts;
}

}  // namespace depthlens
