// SPDX-License-Identifier: Apache-2.0
// Attention over the token tree with SmolLM2-135M's heads: separate sequences, and one prefix with many short
// ends.
#include "bench/random_values.hpp"
#include "plugins/cpu/attention.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <vector>

namespace {

using namespace depthlens;
using namespace depthlens::cpu;

constexpr std::size_t heads = 9, kv_heads = 3, head_dim = 64, tokens = 1024;

// Sequences of `length` tokens whose first `shared` are the same, about `tokens` distinct prefixes in all.
token_tree make_tree(std::size_t length, std::size_t shared) {
  std::vector<std::int32_t> token, parent, position;
  const auto add = [&](std::int32_t up) {
    parent.push_back(up);
    position.push_back(up < 0 ? 0 : position[static_cast<std::size_t>(up)] + 1);
    token.push_back(static_cast<std::int32_t>(token.size() % 100));
    return static_cast<std::int32_t>(token.size() - 1);
  };
  std::int32_t trunk = -1;
  for (std::size_t i = 0; i < shared; ++i) trunk = add(trunk);
  while (token.size() + (length - shared) <= tokens) {
    std::int32_t at = trunk;
    for (std::size_t i = shared; i < length; ++i) at = add(at);
  }
  dlens_batch batch{};
  batch.size = sizeof batch;
  batch.n_tokens = static_cast<std::uint32_t>(token.size());
  batch.tokens = token.data();
  batch.parent = parent.data();
  batch.position = position.data();
  const std::uint32_t no_targets = 0;
  batch.target_begin = &no_targets;
  return make_token_tree(batch, {100, 4096});
}

void attention(benchmark::State& state) {
  const auto length = static_cast<std::size_t>(state.range(0)),
             shared = static_cast<std::size_t>(state.range(1));
  const token_tree tree = make_tree(length, shared);
  const std::size_t n = tree.token.size();
  const query_rows rows = make_query_rows(tree);
  std::vector<float> kv = depthlens::benchmarks::random_floats(n * 2 * kv_heads * head_dim);
  const std::vector<float> fresh = depthlens::benchmarks::random_floats(n * heads * head_dim, 0.1f);
  std::vector<float> q(fresh.size());
  workspace scratch;
  const head_shape shape{.n_heads = heads,
                         .n_kv_heads = kv_heads,
                         .head_dim = head_dim,
                         .value_dim = head_dim,
                         .window = 0,
                         .softcap = 0,
                         .sinks = nullptr,
                         .bias = nullptr,
                         .bias_end = 0};
  for (auto _ : state) {
    state.PauseTiming();
    std::copy(fresh.begin(), fresh.end(), q.begin());
    state.ResumeTiming();
    attend_tree(kernels(), shape, tree, {}, {kv.data(), n, 2 * kv_heads * head_dim}, rows,
                {q.data(), n, heads * head_dim}, {q.data(), n, heads * head_dim}, scratch);
    benchmark::DoNotOptimize(q.data());
    benchmark::ClobberMemory();
  }
  double pairs = 0;
  for (const std::int32_t p : tree.position) pairs += p + 1;
  state.counters["flop/s"] =
      benchmark::Counter(4 * pairs * heads * head_dim, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["tokens/s"] =
      benchmark::Counter(static_cast<double>(n), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(attention)
    ->ArgNames({"length", "shared"})
    ->Args({10, 0})
    ->Args({64, 0})
    ->Args({512, 0})
    ->Args({1024, 0})
    ->Args({256, 240})
    ->Unit(benchmark::kMicrosecond);

}  // namespace
