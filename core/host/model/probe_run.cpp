// SPDX-License-Identifier: Apache-2.0
#include "model/probe_run.hpp"

#include "depthlens/base/abi_error.hpp"
#include "model/backend_advice.hpp"
#include "model/readout_reference.hpp"
#include "model/stage_loading.hpp"
#include "process/plugin_call.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <numeric>
#include <utility>

namespace depthlens {
namespace {

constexpr std::size_t probe_targets = 16;

// D numbers that look random, the same everywhere: about normal, mean 0, variance 1.
std::vector<double> noise(std::size_t D) {
  std::uint64_t state = 20250701;
  std::vector<double> out(D, -6.0);
  for (double& x : out)
    for (int i = 0; i < 12; ++i) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      x += static_cast<double>(state >> 11) / 9007199254740992.0;
    }
  return out;
}

// A target's row of the unembedding at three times the size of `direction`, and a third of that.
std::vector<double> along(std::vector<double> row, const std::vector<double>& direction) {
  double square = 0;
  for (const double x : row) square += x * x / static_cast<double>(row.size());
  const double size = square > 0 ? 3 / std::sqrt(square) : 0;
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = size * row[i] + direction[i] / 3;
  return row;
}

void set_state(probe& p, const std::vector<double>& direction, double size, std::int32_t n) {
  for (const double x : direction) p.state.push_back(static_cast<float>(x * size));
  p.layers = {0, n / 2, n};
  p.layers.erase(std::unique(p.layers.begin(), p.layers.end()), p.layers.end());
}

// The lens of a probe, and room for its readings at P positions; of the first one, of K targets and the
// model's own first token.
class probe_lens {
 public:
  probe_lens(const dlens_model* model, probe& p, std::size_t K, std::size_t P) : model_(model), probe_(p) {
    std::vector<dlens_transport> transports;
    for (const std::int32_t layer : p.layers)
      transports.push_back({.size = sizeof(dlens_transport),
                            .layer = static_cast<std::uint32_t>(layer),
                            .form = static_cast<std::uint32_t>(p.state.empty() ? DLENS_TRANSPORT_IDENTITY
                                                                               : DLENS_TRANSPORT_CONSTANT),
                            .b = p.state.empty() ? nullptr : p.state.data()});
    std::vector<const dlens_transport*> pointers;
    for (const dlens_transport& t : transports) pointers.push_back(&t);
    const plugin_call call("backend", backend_name(), "lens_create");
    checked_call(model->lens_create, model, std::uint64_t{pointers.size()}, pointers.data(), &lens_);
    const std::size_t L = p.layers.size();
    rank_.resize((K + 1) * L);
    ties_.resize((K + 1) * L);
    p.logprob.resize((K + 1) * L);
    p.top.resize(P * L);
    p.kl.resize(P * L);
    entropy_.resize(P * L);
    top_logprob_.resize(P * L);
    readings_ = {.size = sizeof readings_,
                 .n_layers = static_cast<std::uint32_t>(L),
                 .rank = rank_.data(),
                 .ties = ties_.data(),
                 .logprob = p.logprob.data(),
                 .entropy = entropy_.data(),
                 .kl = p.kl.data(),
                 .top = p.top.data(),
                 .top_logprob = top_logprob_.data()};
  }
  probe_lens(const probe_lens&) = delete;
  ~probe_lens() { model_->lens_destroy(model_, lens_); }

  const dlens_lens* c() const { return lens_; }
  const dlens_readings* readings() const { return &readings_; }
  void keep_rank(std::size_t K) {
    const std::size_t L = probe_.layers.size();
    probe_.final_top_rank.assign(rank_.begin() + static_cast<std::ptrdiff_t>(K * L), rank_.end());
  }

 private:
  const dlens_model* model_;
  probe& probe_;
  dlens_lens* lens_ = nullptr;
  std::vector<std::uint32_t> rank_, ties_;
  std::vector<float> entropy_, top_logprob_;
  dlens_readings readings_{};
};

// The stages behind the blocks, as all of those cost a way through the whole file, and the first of these
// whose states are wanted.
void read_streamed(const dlens_model* model, std::uint32_t n_blocks, std::uint32_t wanted_blocks,
                   const dlens_batch& batch, std::vector<std::int32_t>& final_top,
                   const std::vector<const dlens_readings*>& readings) {
  dlens_pass* pass = nullptr;
  const plugin_call call("backend", backend_name(), "pass_run");
  checked_call(model->pass_begin, model, &batch, final_top.data(), readings.data(), &pass);
  const std::unique_ptr<dlens_pass, std::function<void(dlens_pass*)>> owner(
      pass, [model](dlens_pass* p) { model->pass_end(model, p); });
  for (std::uint32_t stage = 0; stage < advice_of(model).stages; ++stage) {
    if (stage >= wanted_blocks && stage < n_blocks) continue;
    load_stage(model, stage);
    const dlens_prefix* const none = nullptr;
    dlens_prefix** const nowhere = nullptr;
    checked_call(model->pass_run, model, pass, stage, none, nowhere);
  }
}

void forward(const dlens_model* model, std::uint32_t n_blocks, const probe_request& asked, probe_readings& r,
             const std::vector<std::unique_ptr<probe_lens>>& lenses) {
  std::vector<std::int32_t> targets = r.targets;
  targets.push_back(-1);
  std::vector<const dlens_lens*> lens_pointers;
  std::vector<const dlens_readings*> readings;
  for (const auto& l : lenses) {
    lens_pointers.push_back(l->c());
    readings.push_back(l->readings());
  }
  const std::size_t T = asked.ids.size();
  std::vector<std::int32_t> parent(T), position(T), final_top(T, -1);
  std::iota(parent.begin(), parent.end(), -1);
  std::iota(position.begin(), position.end(), 0);
  std::vector<std::uint32_t> read(T), target_begin(T + 1, static_cast<std::uint32_t>(targets.size()));
  std::iota(read.begin(), read.end(), 0u);
  target_begin[0] = 0;
  dlens_batch batch{};
  batch.size = sizeof batch;
  batch.n_tokens = batch.n_reads = static_cast<std::uint32_t>(T);
  batch.top_k = 1;
  batch.tokens = asked.ids.data();
  batch.parent = parent.data();
  batch.position = position.data();
  batch.read_token = read.data();
  batch.target_begin = target_begin.data();
  batch.targets = targets.data();
  batch.n_lenses = static_cast<std::uint32_t>(lens_pointers.size());
  batch.lenses = lens_pointers.data();
  batch.hidden = asked.hidden != nullptr ? asked.hidden->data() : nullptr;
  if (is_streamed(model)) {
    read_streamed(model, n_blocks, asked.blocks, batch, final_top, readings);
  } else {
    const plugin_call call("backend", backend_name(), "forward");
    checked_call(model->forward, model, &std::as_const(batch), final_top.data(), readings.data());
  }
  r.final_top = final_top[0];
}

}  // namespace

probe_readings run_probes(const model_files& files, const dlens_model* model, const probe_request& asked) {
  const architecture& a = files.arch();
  const auto n = static_cast<std::int32_t>(a.n_layers);
  probe_readings r;
  const std::uint64_t last = a.vocab_size - 1;
  for (std::size_t k = 0; k < probe_targets; ++k)
    r.targets.push_back(static_cast<std::int32_t>(k * last / (probe_targets - 1)));
  const std::vector<double> direction = noise(a.d_model);
  set_state(r.noise_1, direction, 1, n);
  set_state(r.noise_100, direction, 100, n);
  set_state(r.noise_1000, direction, 1000, n);
  set_state(r.aligned, along(readout_reference(files).direction_of(r.targets[probe_targets / 2]), direction),
            1, n);
  r.own.layers = {0, n};
  std::vector<std::unique_ptr<probe_lens>> lenses;
  for (probe* p : {&r.noise_1, &r.noise_100, &r.noise_1000, &r.aligned, &r.own})
    lenses.push_back(std::make_unique<probe_lens>(model, *p, probe_targets, asked.ids.size()));
  forward(model, a.n_layers, asked, r, lenses);
  for (const auto& l : lenses) l->keep_rank(probe_targets);
  return r;
}

}  // namespace depthlens
