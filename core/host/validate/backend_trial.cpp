// SPDX-License-Identifier: Apache-2.0
#include "validate/backend_trial.hpp"

#include "depthlens/base/abi_error.hpp"
#include "depthlens/reference/model.hpp"
#include "depthlens/reference/reading.hpp"

#include <cmath>
#include <random>
#include <string_view>
#include <utility>

namespace depthlens {
namespace {

// A pack of chains.
struct chains {
  std::vector<std::int32_t> tokens, parent, position, targets;
  std::vector<std::uint8_t> rope_long;
  std::vector<std::uint32_t> read_token, target_begin{0};

  chains(const sequences& all, std::uint32_t long_positions) {
    for (const std::vector<std::int32_t>& ids : all) {
      for (std::size_t i = 0; i < ids.size(); ++i) {
        parent.push_back(i == 0 ? -1 : static_cast<std::int32_t>(tokens.size()) - 1);
        position.push_back(static_cast<std::int32_t>(i));
        tokens.push_back(ids[i]);
        rope_long.push_back(long_positions > 0 && ids.size() > long_positions ? 1 : 0);
      }
      read_token.push_back(static_cast<std::uint32_t>(tokens.size()) - 1);
      targets.insert(targets.end(), {-1, 1});
      target_begin.push_back(static_cast<std::uint32_t>(targets.size()));
    }
  }
};

bool close(double a, double b) {
  constexpr double most = 1e-3;
  return std::abs(a - b) <= most * std::max(1.0, std::abs(b));
}

}  // namespace

trial_model::trial_model(const dlens_backend& backend, const reference::random_model& weights)
    : view_(weights), n_layers_(weights.shape.layers) {
  const dlens_model_options options{
      .size = sizeof options, .threads = 4, .device = "auto", .precision = "f32"};
  checked_call(backend.model_create, &std::as_const(view_.weights), &options, &model_);
  std::vector<dlens_transport> layers;
  for (std::uint32_t i = 0; i <= n_layers_; ++i)
    layers.push_back({.size = sizeof(dlens_transport), .layer = i});
  std::vector<const dlens_transport*> pointers;
  for (const dlens_transport& t : layers) pointers.push_back(&t);
  checked_call(model_->lens_create, model_, std::uint64_t{pointers.size()}, pointers.data(), &lens_);
}

trial_model::~trial_model() {
  if (lens_ != nullptr) model_->lens_destroy(model_, lens_);
  if (model_ != nullptr) model_->destroy(model_);
}

trial_readings trial_model::read(const sequences& all) const {
  const std::uint32_t longer = view_.architecture.long_positions;
  const chains pack(all, longer);
  const std::size_t P = all.size(), L = n_layers_ + std::size_t{1};
  trial_readings out{.layers = L};
  out.final_top.resize(P);
  out.rank.resize(2 * P * L);
  out.ties.resize(2 * P * L);
  out.logprob.resize(2 * P * L);
  out.entropy.resize(P * L);
  out.kl.resize(P * L);
  out.top.resize(P * L);
  out.top_logprob.resize(P * L);
  const dlens_readings to{.size = sizeof to,
                          .n_layers = static_cast<std::uint32_t>(L),
                          .rank = out.rank.data(),
                          .ties = out.ties.data(),
                          .logprob = out.logprob.data(),
                          .entropy = out.entropy.data(),
                          .kl = out.kl.data(),
                          .top = out.top.data(),
                          .top_logprob = out.top_logprob.data()};
  const dlens_readings* const readings[] = {&to};
  const dlens_lens* const lenses[] = {lens_};
  const dlens_batch batch{.size = sizeof batch,
                          .n_tokens = static_cast<std::uint32_t>(pack.tokens.size()),
                          .tokens = pack.tokens.data(),
                          .parent = pack.parent.data(),
                          .position = pack.position.data(),
                          .n_reads = static_cast<std::uint32_t>(P),
                          .top_k = 1,
                          .read_token = pack.read_token.data(),
                          .target_begin = pack.target_begin.data(),
                          .targets = pack.targets.data(),
                          .n_lenses = 1,
                          .lenses = lenses,
                          .rope_long = longer > 0 ? pack.rope_long.data() : nullptr};
  checked_call(model_->forward, model_, &batch, out.final_top.data(), readings);
  return out;
}

sequences random_sequences(std::uint32_t vocabulary, std::size_t n, std::size_t longest) {
  std::mt19937 bits(7);
  sequences out(n);
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t length = i == 0 ? 1 : 1 + bits() % longest;
    for (std::size_t t = 0; t < length; ++t) out[i].push_back(static_cast<std::int32_t>(bits() % vocabulary));
  }
  return out;
}

std::string difference(const reference::random_model& weights, const sequences& all,
                       const trial_readings& found) {
  constexpr double rounding = 1e-3;  // of logits, in which ranks may come out either way
  const reference::weights_view view(weights);
  const reference::model model(view.weights);
  for (std::size_t s = 0; s < all.size(); ++s) {
    const auto states = model.residuals(all[s]);
    const dlens_transport identity{.size = sizeof identity};
    const reference::reading last(model.logits(states.back().back(), identity));
    const std::int32_t top = found.final_top[s];
    if (top < 0 || static_cast<std::size_t>(top) >= last.logits.size() || last.rank(top, rounding) != 1)
      return cat("of sequence ", s, " the final top-1 is ", last.best(), ", it says ", top);
    for (std::size_t l = 0; l < found.layers; ++l) {
      const reference::reading want(model.logits(states[l].back(), identity));
      const std::size_t at = s * found.layers + l;
      const auto where = [&](std::string_view what, double is, double said) {
        return cat("of sequence ", s, ", layer ", l, ", ", what, " is ", is, ", it says ", said);
      };
      if (!close(found.entropy[at], want.entropy))
        return where("the entropy", want.entropy, found.entropy[at]);
      if (!close(found.kl[at], want.kl_from(last))) return where("the KL", want.kl_from(last), found.kl[at]);
      for (std::size_t k = 0; k < 2; ++k) {
        const std::int32_t id = k == 0 ? top : 1;
        const std::size_t t = (2 * s + k) * found.layers + l;
        if (found.rank[t] < want.rank(id, rounding) || found.rank[t] > want.rank(id, -rounding))
          return where(cat("the rank of ", id), want.rank(id, 0), found.rank[t]);
        if (!close(found.logprob[t], want.logprob(id)))
          return where(cat("log p of ", id), want.logprob(id), found.logprob[t]);
      }
      const std::int32_t guess = found.top[at];
      if (guess < 0 || static_cast<std::size_t>(guess) >= want.logits.size() ||
          want.rank(guess, rounding) != 1)
        return where("the top-1", want.best(), guess);
    }
  }
  return "";
}

}  // namespace depthlens
