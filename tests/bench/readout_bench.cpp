// SPDX-License-Identifier: Apache-2.0
// The fused readout of the logit lens: states of 30 layers, width 576 and 49,152 tokens, as SmolLM2-135M has
// them.
#include "bench/random_values.hpp"
#include "plugins/cpu/readout.hpp"
#include "plugins/cpu/single_thread.hpp"

#include <benchmark/benchmark.h>

#include <vector>

namespace {

using namespace depthlens::cpu;
using depthlens::benchmarks::random_floats;

constexpr std::uint32_t n_layers = 30;
constexpr std::size_t width = 576, vocabulary = 49152;

dlens_tensor plain_matrix(const char* name, const std::vector<float>& values, std::size_t rows,
                          std::size_t columns) {
  dlens_tensor t{};
  t.size = sizeof t;
  t.dtype = DLENS_DTYPE_F32;
  t.name = {name, std::char_traits<char>::length(name)};
  t.n_dims = columns == 1 ? 1 : 2;
  t.shape[0] = rows;
  t.shape[1] = columns == 1 ? 0 : columns;
  t.data = values.data();
  t.bytes = values.size() * sizeof(float);
  t.row_group = t.group_stride = rows;
  t.row_stride = columns;
  t.column_stride = 1;
  return t;
}

// The final norm and the unembedding of a model without blocks.
struct head {
  explicit head(precision form)
      : values(random_floats(vocabulary * width, 0.1f)), ones(width, 1.0f), shapes(form) {
    dlens_architecture arch{};
    arch.size = sizeof arch;
    arch.d_model = width;
    arch.vocab_size = vocabulary;
    arch.norm_kind = DLENS_NORM_RMS;
    arch.norm_eps = 1e-5;
    const dlens_tensor tensors[] = {plain_matrix("embed", values, vocabulary, width),
                                    plain_matrix("unembed", values, vocabulary, width),
                                    plain_matrix("final_norm", ones, width, 1)};
    const dlens_tensor* const pointers[] = {&tensors[0], &tensors[1], &tensors[2]};
    stages.emplace(dlens_weights{.size = sizeof(dlens_weights),
                                 .reserved = 0,
                                 .architecture = &arch,
                                 .tensors = pointers,
                                 .n_tensors = std::size(pointers)},
                   shapes, false);
    stages->load_all(1);
  }
  std::vector<float> values, ones;
  matmul_shapes shapes;
  std::optional<weight_stages> stages;
};

// Room for the readings of P positions with one target each.
struct answers {
  explicit answers(std::size_t P)
      : ranks(P * L),
        ties(P * L),
        top(P * L),
        final_top(P),
        logprob(P * L),
        entropy(P * L),
        kl(P * L),
        top_logprob(P * L) {}
  static constexpr std::size_t L = n_layers + 1;
  std::vector<std::uint32_t> ranks, ties;
  std::vector<std::int32_t> top, final_top;
  std::vector<float> logprob, entropy, kl, top_logprob;
};

void readout(benchmark::State& state) {
  const auto sites = static_cast<std::size_t>(state.range(0));
  head model(static_cast<precision>(state.range(1)));
  std::vector<dlens_transport> plain;
  for (std::uint32_t l = 0; l <= n_layers; ++l)
    plain.push_back({.size = sizeof(dlens_transport),
                     .layer = l,
                     .form = DLENS_TRANSPORT_IDENTITY,
                     .reserved = 0,
                     .a = nullptr,
                     .b = nullptr});
  std::vector<const dlens_transport*> pointers;
  for (const dlens_transport& t : plain) pointers.push_back(&t);
  const lens logit = make_lens(plain.size(), pointers.data(), n_layers, width, model.shapes);
  answers out(sites);
  const dlens_readings readings{.size = sizeof(dlens_readings),
                                .reserved = 0,
                                .rank = out.ranks.data(),
                                .ties = out.ties.data(),
                                .logprob = out.logprob.data(),
                                .entropy = out.entropy.data(),
                                .kl = out.kl.data(),
                                .top = out.top.data(),
                                .top_logprob = out.top_logprob.data()};
  const dlens_readings* const tables[] = {&readings};
  std::vector<std::uint32_t> target_begin;
  for (std::uint32_t i = 0; i <= sites; ++i) target_begin.push_back(i);
  dlens_batch batch{};
  batch.size = sizeof batch;
  batch.n_reads = static_cast<std::uint32_t>(sites);
  batch.top_k = 1;
  batch.target_begin = target_begin.data();
  const std::vector<float> hidden = random_floats(answers::L * sites * width);
  workspace scratch;
  for (auto _ : state) {
    std::vector<depthlens::read_site> asked;
    for (std::uint32_t i = 0; i < sites; ++i) asked.push_back({i, {i}, {-1}});
    readout_request request{.batch = &batch,
                            .sites = std::move(asked),
                            .hidden = {hidden.data(), answers::L * sites, width},
                            .lenses = {&logit},
                            .final_top = out.final_top.data(),
                            .readings = tables};
    run_single_threaded([&] {
      readout read({.weights = model.stages->weights(),
                    .kernels = kernels(),
                    .n_layers = n_layers,
                    .softcap = 0,
                    .target_shape = model.shapes.get(width, targets_at_once)},
                   std::move(request));
      for (const readout_stage& stage : model.stages->weights().readouts) read.run(stage, scratch);
    });
    benchmark::ClobberMemory();
  }
  const double rows = static_cast<double>(sites * answers::L);
  state.counters["flop/s"] =
      benchmark::Counter(2.0 * width * vocabulary * rows, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["rows/s"] = benchmark::Counter(rows, benchmark::Counter::kIsIterationInvariantRate);
  state.SetLabel(model.shapes.form());
}
BENCHMARK(readout)
    ->ArgNames({"positions", "form"})
    ->Args({1, static_cast<int>(precision::f32)})
    ->Args({33, static_cast<int>(precision::f32)})
    ->Args({33, static_cast<int>(precision::bf16)})
    ->Unit(benchmark::kMillisecond);

}  // namespace
