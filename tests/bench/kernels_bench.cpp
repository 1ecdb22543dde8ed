// SPDX-License-Identifier: Apache-2.0
// The cpu backend's vector kernels on rows of SmolLM2-135M's widths, as this CPU runs them.
#include "bench/random_values.hpp"
#include "plugins/kernels/kernels.hpp"

#include <benchmark/benchmark.h>

#include <vector>

namespace {

using namespace depthlens;
using namespace depthlens::cpu;
using depthlens::benchmarks::random_floats;

void floats_per_second(benchmark::State& state, std::size_t of_one) {
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(of_one));
  state.SetLabel(kernels().name);
}

void rms_norm(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const std::vector<float> x = random_floats(n), weight = random_floats(n);
  std::vector<float> out(n);
  for (auto _ : state) {
    kernels().rms_norm(x.data(), weight.data(), 1e-5f, n, out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  floats_per_second(state, n);
}
BENCHMARK(rms_norm)->Arg(576)->Arg(4096);

void layer_norm(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const std::vector<float> x = random_floats(n), weight = random_floats(n);
  std::vector<float> out(n);
  for (auto _ : state) {
    kernels().layer_norm(x.data(), weight.data(), 1e-5f, n, out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  floats_per_second(state, n);
}
BENCHMARK(layer_norm)->Arg(768)->Arg(4096);

// One exponential for each value and little else.
void exp_of_silu(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const std::vector<float> x = random_floats(n, 8), factor = random_floats(n);
  std::vector<float> out(n);
  for (auto _ : state) {
    kernels().activate(activation::silu, x.data(), factor.data(), n, out.data());
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  floats_per_second(state, n);
}
BENCHMARK(exp_of_silu)->Arg(1536)->Arg(11008);

// A tile of logits to maximum, sums, entropy and divergence.
void reduce_tile(benchmark::State& state) {
  constexpr std::size_t n = 960;
  const std::vector<float> logits = random_floats(n, 10);
  std::vector<float> weights(n, 1.0f / n);
  for (auto _ : state) {
    row_state row;
    row.maximum = 10;
    kernels().reduce_tile({.logits = logits.data(),
                           .n = n,
                           .first_id = 0,
                           .kind = static_cast<row_kind>(state.range(0)),
                           .final_weights = weights.data()},
                          row);
    benchmark::DoNotOptimize(row);
  }
  floats_per_second(state, n);
}
BENCHMARK(reduce_tile)
    ->ArgName("kind")
    ->Arg(static_cast<int>(row_kind::top_only))
    ->Arg(static_cast<int>(row_kind::final))
    ->Arg(static_cast<int>(row_kind::layer));

}  // namespace
