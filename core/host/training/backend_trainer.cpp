// SPDX-License-Identifier: Apache-2.0
#include "training/backend_trainer.hpp"

#include "depthlens/base/abi_error.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace depthlens {
namespace {

constexpr const char* step_array = "step";  // of a checkpoint: two floats, low and high 20 bits

std::vector<std::uint64_t> shape_of(const dlens_trainer_array& a) { return {a.shape, a.shape + a.n_dims}; }

// Null where the model does not offer it.
const dlens_training* training_of(const dlens_model* model) {
  if (!DLENS_HAS(dlens_model, model, get_extension) || model->get_extension == nullptr) return nullptr;
  const auto* table =
      static_cast<const dlens_training*>(model->get_extension(model, DLENS_TRAINER_INTERFACE));
  return table != nullptr && DLENS_HAS(dlens_training, table, trainer_create) ? table : nullptr;
}

}  // namespace

bool can_train(const dlens_model* model) { return training_of(model) != nullptr; }

backend_trainer::backend_trainer(const dlens_model* model, const dlens_trainer_options& options) {
  checked_call(training_of(model)->trainer_create, model, &options, &trainer_);
}

backend_trainer::~backend_trainer() {
  if (trainer_ != nullptr) trainer_->destroy(trainer_);
}

std::vector<float> backend_trainer::measure(const dlens_batch& batch, std::size_t n_layers) {
  std::vector<float> loss(n_layers + 1);
  checked_call(trainer_->measure, trainer_, &batch, loss.data());
  return loss;
}

std::vector<float> backend_trainer::step(const dlens_batch& batch, double learning_rate,
                                         std::size_t n_layers) {
  std::vector<float> loss(n_layers);
  checked_call(trainer_->step, trainer_, &batch, learning_rate, loss.data());
  for (std::size_t i = 0; i < n_layers; ++i)
    if (!std::isfinite(loss[i]))
      fail(status::data, "the loss of layer ", i,
           " is no number any more: the training diverged; take a smaller --learning-rate and --fresh");
  return loss;
}

void backend_trainer::observe(const dlens_batch& batch) { checked_call(trainer_->observe, trainer_, &batch); }

void backend_trainer::fit(std::uint32_t what, double ridge) {
  checked_call(trainer_->fit, trainer_, what, ridge);
}

std::vector<const dlens_trainer_array*> backend_trainer::arrays() const {
  const dlens_trainer_array* const* all = nullptr;
  const std::uint64_t n = trainer_->arrays(trainer_, &all);
  return {all, all + n};
}

trainer_array backend_trainer::read(std::uint64_t index, const dlens_trainer_array& about) const {
  trainer_array out{about.name, shape_of(about), {}};
  std::size_t n = 1;
  for (const std::uint64_t d : out.shape) n *= static_cast<std::size_t>(d);
  out.values.resize(n);
  checked_call(trainer_->read, trainer_, index, out.values.data());
  return out;
}

trainer_array backend_trainer::read(const std::string& name) const {
  const auto all = arrays();
  for (std::uint64_t i = 0; i < all.size(); ++i)
    if (name == all[i]->name) return read(i, *all[i]);
  fail(status::internal, "the backend's trainer has no array ", name);
}

void backend_trainer::save(const std::filesystem::path& file, std::uint64_t step) const {
  constexpr std::uint64_t low = 1u << 20;
  std::vector<trainer_array> held;
  const auto all = arrays();
  for (std::uint64_t i = 0; i < all.size(); ++i) held.push_back(read(i, *all[i]));
  held.push_back({step_array, {2}, {static_cast<float>(step % low), static_cast<float>(step / low)}});
  write_arrays(file, held);
}

std::uint64_t backend_trainer::load(const std::filesystem::path& file) {
  const array_file stored(file);
  const auto all = arrays();
  for (std::uint64_t i = 0; i < all.size(); ++i) {
    const std::vector<float> values = stored.read(all[i]->name, shape_of(*all[i]));
    checked_call(trainer_->write, trainer_, i, values.data());
  }
  const std::vector<float> step = stored.read(step_array, {2});
  constexpr float most = 1u << 20;
  for (const float part : step)
    if (!(part >= 0 && part < most && part == std::floor(part)))
      fail(status::data, file.string(), ": its number of the step is none");
  return static_cast<std::uint64_t>(step[0]) + (static_cast<std::uint64_t>(step[1]) << 20);
}

}  // namespace depthlens
