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

// The lens of a probe, and room for its readings of K targets and the model's own first token.
class probe_lens {
 public:
  probe_lens(const dlens_model* model, probe& p, std::size_t K) : model_(model), probe_(p) {
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
    p.top.resize(L);
    p.kl.resize(L);
    entropy_.resize(L);
    top_logprob_.resize(L);
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

// The stages behind the blocks alone, as those cost a way through the whole file.
void read_streamed(const dlens_model* model, std::uint32_t first, const dlens_batch& batch,
                   std::int32_t& final_top, const std::vector<const dlens_readings*>& readings) {
  dlens_pass* pass = nullptr;
  const plugin_call call("backend", backend_name(), "pass_run");
  checked_call(model->pass_begin, model, &batch, &final_top, readings.data(), &pass);
  const std::unique_ptr<dlens_pass, std::function<void(dlens_pass*)>> owner(
      pass, [model](dlens_pass* p) { model->pass_end(model, p); });
  for (std::uint32_t stage = first; stage < advice_of(model).stages; ++stage) {
    load_stage(model, stage);
    const dlens_prefix* const none = nullptr;
    dlens_prefix** const nowhere = nullptr;
    checked_call(model->pass_run, model, pass, stage, none, nowhere);
  }
}

void forward(const dlens_model* model, std::uint32_t n_blocks, std::int32_t token, probe_readings& r,
             const std::vector<std::unique_ptr<probe_lens>>& lenses) {
  std::vector<std::int32_t> targets = r.targets;
  targets.push_back(-1);
  std::vector<const dlens_lens*> lens_pointers;
  std::vector<const dlens_readings*> readings;
  for (const auto& l : lenses) {
    lens_pointers.push_back(l->c());
    readings.push_back(l->readings());
  }
  const std::int32_t root = -1, zero = 0;
  const std::uint32_t read = 0, target_begin[] = {0, static_cast<std::uint32_t>(targets.size())};
  dlens_batch batch{};
  batch.size = sizeof batch;
  batch.n_tokens = batch.n_reads = batch.top_k = 1;
  batch.tokens = &token;
  batch.parent = &root;
  batch.position = &zero;
  batch.read_token = &read;
  batch.target_begin = target_begin;
  batch.targets = targets.data();
  batch.n_lenses = static_cast<std::uint32_t>(lens_pointers.size());
  batch.lenses = lens_pointers.data();
  if (is_streamed(model)) return read_streamed(model, n_blocks, batch, r.final_top, readings);
  const plugin_call call("backend", backend_name(), "forward");
  checked_call(model->forward, model, &std::as_const(batch), &r.final_top, readings.data());
}

}  // namespace

probe_readings run_probes(const model_files& files, const dlens_model* model, std::int32_t token) {
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
    lenses.push_back(std::make_unique<probe_lens>(model, *p, probe_targets));
  forward(model, a.n_layers, token, r, lenses);
  for (const auto& l : lenses) l->keep_rank(probe_targets);
  return r;
}

}  // namespace depthlens
