// SPDX-License-Identifier: Apache-2.0
#include "commands/bench_work.hpp"

#include "commands/prompts.hpp"
#include "engine/planned_work.hpp"
#include "terminal/stopwatch.hpp"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <atomic>
#include <random>

namespace depthlens {
namespace {

// Adds the wall time of fn() to `seconds`.
template <class Function>
void timed(double& seconds, Function&& fn) {
  const stopwatch watch;
  fn();
  seconds += watch.seconds();
}

// What the backend has done so far.
dlens_work work_so_far(const dlens_model* model) {
  dlens_work out{};
  out.size = sizeof out;
  if (DLENS_HAS(dlens_model, model, work) && model->work != nullptr) model->work(model, &out);
  return out;
}

dlens_work difference(const dlens_work& after, const dlens_work& before) {
  return {.size = sizeof(dlens_work),
          .calls = after.calls - before.calls,
          .product_flops = after.product_flops - before.product_flops,
          .product_ns = after.product_ns - before.product_ns,
          .blocks_ns = after.blocks_ns - before.blocks_ns,
          .readout_ns = after.readout_ns - before.readout_ns,
          .load_ns = after.load_ns - before.load_ns};
}

useful_work useful_in(const model_files& files, const prefix_forest& forest, const bench_window& in,
                      const rows_per_site& rows) {
  std::vector<std::int32_t> reads;
  for (const read_request& w : in.requests) reads.push_back(forest.node(w.sequence, w.position));
  std::sort(reads.begin(), reads.end());
  reads.erase(std::unique(reads.begin(), reads.end()), reads.end());
  return work_needed(files, forest, reads, rows);
}

}  // namespace

bench_prompts synthetic_prompts(std::size_t count, std::size_t tokens, std::uint32_t vocab_size) {
  std::mt19937_64 next(1);
  bench_prompts out;
  out.ids.assign(count, std::vector<std::int32_t>(tokens));
  for (auto& ids : out.ids)
    for (std::int32_t& id : ids) id = static_cast<std::int32_t>(next() % vocab_size);
  return out;
}

bench_window read_window(const opened_model& model, const bench_prompts& prompts, const bench_plan& plan,
                         std::size_t first) {
  const std::size_t n = std::min(plan.rules.window, prompts.size() - first);
  bench_window out;
  out.sequences.resize(n);
  tbb::parallel_for(std::size_t{0}, n, [&](std::size_t i) {
    out.sequences[i] =
        prompts.texts.empty() ? prompts.ids[first + i] : prompt_ids(model, prompts.texts[first + i]);
  });
  for (std::size_t i = 0; i < n; ++i)
    for (const std::uint32_t position : parse_positions(plan.positions, out.sequences[i].size()))
      out.requests.push_back({static_cast<std::uint32_t>(i), position, {-1}});
  return out;
}

evaluator make_evaluator(const running_model& model, const bench_plan& plan) {
  return evaluator(model.c(), model.lenses(), model.rules(), {.row_weight = plan.row_weight});
}

bench_pass run_pass(const opened_model& model, const running_model& running, const bench_prompts& prompts,
                    const bench_plan& plan) {
  const evaluator run = make_evaluator(running, plan);
  const dlens_work before = work_so_far(running.c());
  bench_pass out;
  for (std::size_t first = 0; first < prompts.size(); first += plan.rules.window) {
    bench_window in;
    timed(out.tokenise, [&] { in = read_window(model, prompts, plan, first); });
    prefix_forest forest;
    timed(out.forest, [&] {
      const std::vector<std::uint8_t> is_long = long_forms(in.sequences, running.rules().long_positions);
      forest = build_forest(needed_parts(in.sequences, in.requests), {.is_long = is_long});
    });
    out.useful += useful_in(*model.files, forest, in, plan.rows);
    std::atomic<std::size_t> answered{0};
    timed(out.forward, [&] {
      out.counts += run.run({in.sequences, in.requests},
                            [&](std::size_t, const std::shared_ptr<const site_readings>&) { ++answered; });
    });
    if (answered != in.requests.size())
      fail(status::internal, answered.load(), " of ", in.requests.size(), " readings came");
  }
  out.backend = difference(work_so_far(running.c()), before);
  return out;
}

}  // namespace depthlens
