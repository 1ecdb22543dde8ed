// SPDX-License-Identifier: Apache-2.0
#include "trainer.hpp"

#include "depthlens/base/error.hpp"

#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace depthlens::torch_backend {

namespace {

dlens_trainer_options checked(const dlens_trainer_options& o) {
  const auto share = [](double x) { return x >= 0 && x < 1; };
  if (!DLENS_HAS(dlens_trainer_options, &o, gradient_limit))
    fail(status::internal, "the options are of an older interface");
  if (o.optimizer != DLENS_OPTIMIZER_SGD && o.optimizer != DLENS_OPTIMIZER_ADAM)
    fail(status::internal, "there is no optimizer ", o.optimizer);
  if (!share(o.momentum) || !share(o.second_momentum) || !(o.weight_decay >= 0) || !(o.gradient_limit >= 0))
    fail(status::internal, "an option of the trainer is out of its range");
  return o;
}

// What inference mode made cannot be kept by autograd.
norm_weights copy_of(const norm_weights& n) {
  norm_weights out = n;
  if (n.weight.defined()) out.weight = n.weight.clone();
  if (n.bias.defined()) out.bias = n.bias.clone();
  return out;
}

}  // namespace

trainer::trainer(const model& of, const dlens_trainer_options& options)
    : model_(of),
      options_(checked(options)),
      bias_only_((options.flags & DLENS_TRAINER_BIAS_ONLY) != 0),
      norm_(copy_of(of.weights().final_norm)),
      unembed_(of.make_unembedding(options.threads)),
      weight_(at::zeros({of.arch().n_layers, of.arch().d_model, of.arch().d_model},
                        unembed_.weight.options().dtype(at::kFloat))),
      bias_(at::zeros({of.arch().n_layers, of.arch().d_model}, weight_.options())),
      whiten_(at::eye(weight_.size(1), weight_.options()).repeat({weight_.size(0), 1, 1})),
      center_(at::zeros_like(bias_)),
      bias_steps_(options_, bias_),
      steps_(at::zeros({1}, weight_.options())),
      mean_output_(at::zeros({of.arch().vocab_size}, weight_.options())) {
  if (!bias_only_) weight_steps_ = std::make_unique<optimizer>(options_, weight_);
  add_array("weight", weight_);
  add_array("bias", bias_);
  add_array("whiten", whiten_);
  add_array("center", center_);
  add_array("steps", steps_);
  add_array("mean_output", mean_output_);
  const auto add_state = [&](const std::string& of_what, const optimizer& o) {
    add_array(of_what + ".mean", o.mean());
    if (o.variance().defined()) add_array(of_what + ".variance", o.variance());
  };
  if (weight_steps_) add_state("weight", *weight_steps_);
  add_state("bias", bias_steps_);
  for (std::size_t i = 0; i < arrays_.size(); ++i) {
    arrays_[i].name = array_names_[i].c_str();
    array_pointers_.push_back(&arrays_[i]);
  }
}

void trainer::add_array(std::string name, const at::Tensor& values) {
  dlens_trainer_array about{
      sizeof(dlens_trainer_array), static_cast<std::uint32_t>(values.dim()), nullptr, {}};
  for (std::int64_t i = 0; i < values.dim(); ++i) about.shape[i] = static_cast<std::uint64_t>(values.size(i));
  array_names_.push_back(std::move(name));
  array_values_.push_back(values);
  arrays_.push_back(about);
}

const at::Tensor& trainer::array(std::uint64_t index) const {
  if (index >= array_values_.size()) fail(status::internal, "the trainer has no array ", index);
  return array_values_[index];
}

void trainer::read(std::uint64_t index, float* values) const {
  const at::Tensor& from = array(index);
  at::from_blob(values, from.sizes(), at::kFloat).copy_(from);
}

void trainer::write(std::uint64_t index, const float* values) {
  at::Tensor to = array(index);
  to.copy_(at::from_blob(const_cast<float*>(values), to.sizes(), at::kFloat));
}

std::vector<at::Tensor> trainer::states_of(const dlens_batch& batch) const {
  if (!DLENS_HAS(dlens_batch, &batch, rope_long)) fail(status::internal, "a pack is of an older interface");
  if (batch.n_reads == 0) fail(status::internal, "a pack to train on reads nothing");
  at::set_num_threads(static_cast<int>(std::clamp(options_.threads, 1u, 256u)));
  std::vector<at::Tensor> hidden = model_.states(batch);
  for (at::Tensor& h : hidden) h = h.clone();  // out of inference mode
  return hidden;
}

trainer::lesson trainer::make_lesson(const dlens_batch& batch) const {
  lesson out{states_of(batch), {}};
  out.final = read_final(unembed_, norm_.apply(out.hidden.back()));
  return out;
}

void trainer::measure(const dlens_batch& batch, float* loss) {
  const c10::NoGradGuard no_gradients;
  const lesson l = make_lesson(batch);
  for (std::int64_t i = 0; i < weight_.size(0); ++i) {
    const at::Tensor& h = l.hidden[static_cast<std::size_t>(i)];
    const at::Tensor x = norm_.apply(h + at::linear(h, weight_[i], bias_[i]));
    loss[i] = loss_of(unembed_, l.final, x, wants::loss).kl.mean().item<float>();
  }
  const bool knows_output = steps_.item<float>() > 0;
  loss[weight_.size(0)] = knows_output ? kl_from(unembed_, l.final, mean_output_).mean().item<float>()
                                       : std::numeric_limits<float>::quiet_NaN();
}

void trainer::step(const dlens_batch& batch, double rate, float* loss) {
  const c10::NoGradGuard no_gradients;
  const lesson l = make_lesson(batch);
  steps_.add_(1);
  mean_output_.add_((mean_output(unembed_, l.final) - mean_output_) / steps_);
  for (std::int64_t i = 0; i < weight_.size(0); ++i) train_layer(i, l, rate, loss + i);
}

// With x = P (h - c), P = whiten, c = center, and t = h + V x + b': A = V P, b = b' - A c, and the gradients
// are those of A and b carried back.
void trainer::train_layer(std::int64_t i, const lesson& l, double rate, float* loss) {
  const at::Tensor& h = l.hidden[static_cast<std::size_t>(i)];
  at::Tensor weight = weight_[i], bias = bias_[i];
  at::Tensor a = weight.detach(), b = bias.detach();
  std::vector<at::Tensor> gradients;
  {
    const c10::AutoGradMode with_gradients(true);
    b.set_requires_grad(true);
    if (!bias_only_) a.set_requires_grad(true);
    const at::Tensor x = norm_.apply(h + at::linear(h, a, b));
    const output_loss said = loss_of(unembed_, l.final, x.detach(), wants::gradient);
    *loss = said.kl.mean().item<float>();
    const std::vector<at::Tensor> of = bias_only_ ? std::vector{b} : std::vector{b, a};
    gradients = torch::autograd::grad({x}, of, {said.gradient / h.size(0)});
  }
  if (!bias_only_) gradients[1] = at::mm(gradients[1] - at::outer(gradients[0], center_[i]), whiten_[i].t());
  limit(gradients);
  const auto steps = static_cast<std::uint64_t>(steps_.item<float>());
  const double kept = 1 - rate * options_.weight_decay;
  bias.mul_(kept).add_(bias_steps_.step(i, gradients[0], rate, steps));
  if (bias_only_) return;
  const at::Tensor change = at::mm(weight_steps_->step(i, gradients[1], rate, steps), whiten_[i]);
  weight.mul_(kept).add_(change);
  bias.sub_(at::mv(change, center_[i]));
}

void trainer::limit(std::vector<at::Tensor>& gradients) const {
  if (options_.gradient_limit == 0) return;
  double square = 0;
  for (const at::Tensor& g : gradients) square += g.to(at::kDouble).square().sum().item<double>();
  const double norm = std::sqrt(square);
  if (!(norm > options_.gradient_limit)) return;
  for (at::Tensor& g : gradients) g = g * (options_.gradient_limit / norm);
}

void trainer::observe(const dlens_batch& batch) {
  const c10::NoGradGuard no_gradients;
  if (!regression_) regression_ = std::make_unique<state_regression>(norm_, unembed_);
  regression_->add(states_of(batch));
}

void trainer::fit(std::uint32_t what, double ridge) {
  const c10::NoGradGuard no_gradients;
  if (!regression_) fail(status::internal, "the trainer is to fit states that it has not seen");
  at::set_num_threads(static_cast<int>(std::clamp(options_.threads, 1u, 256u)));
  for (std::int64_t i = 0; i < weight_.size(0); ++i) {
    if ((what & DLENS_FIT_TRANSLATORS) != 0) {
      const translator t = bias_only_ ? regression_->fit_bias(i) : regression_->fit(i, ridge);
      if (t.weight.defined()) weight_[i].copy_(t.weight);
      bias_[i].copy_(t.bias);
    }
    if ((what & DLENS_FIT_COORDINATES) != 0) {
      const coordinates c = regression_->fit_coordinates(i, ridge);
      whiten_[i].copy_(c.whiten);
      center_[i].copy_(c.center);
    }
  }
  regression_.reset();
}

}  // namespace depthlens::torch_backend
