// SPDX-License-Identifier: Apache-2.0
#include "training/training_course.hpp"

#include "process/stop_signal.hpp"
#include "terminal/log.hpp"
#include "terminal/progress.hpp"
#include "training/batches.hpp"
#include "training/held_out_loss.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iomanip>
#include <optional>

namespace depthlens {

training_course::training_course(const train_request& request, const training_text& text,
                                 const architecture& arch, backend_trainer& trainer, held_training& folder)
    : request_(request),
      text_(text),
      n_layers_(arch.n_layers),
      long_positions_(arch.long_positions),
      trainer_(trainer),
      folder_(folder) {}

double training_course::rate_of(std::uint64_t step) const {
  const auto steps = static_cast<double>(std::max<std::uint64_t>(request_.steps, 1));
  return request_.learning_rate * (1 - static_cast<double>(step) / steps);
}

void training_course::begin() {
  if (std::filesystem::exists(folder_.checkpoint())) return load_checkpoint();
  if (!measure("logit")) return;
  if (text_.held_out.empty()) {
    folder_.fields()[first_batch_loss] = boost::json::value_from(measure_first_batch());
    folder_.write_as_it_is();
  }
  if (request_.start == lens_start::least_squares || request_.whiten) observe_and_fit();
  begun_ = !stop_asked();
  if (begun_ && !text_.held_out.empty())
    write_arrays(folder_.start(), {trainer_.read("weight"), trainer_.read("bias")});
  save();
}

void training_course::load_checkpoint() {
  const std::string checkpoint = folder_.checkpoint().string();
  step_ = trainer_.load(checkpoint);
  losses_ = read_losses(folder_.train_table(), loss_kind::train, n_layers_, step_);
  validation_ = read_losses(folder_.validation_table(), loss_kind::validation, n_layers_, 0);
  if (step_ > request_.steps || losses_.size() != step_)
    fail(status::data, checkpoint, ": is at step ", step_, ", and ", folder_.train_table().string(), " has ",
         losses_.size(), " steps; --fresh begins again");
  for (const loss_row& r : losses_) trained_on_ += r.positions;
  begun_ = true;
  log_info(cat("going on after step ", step_, " of ", request_.steps));
}

void training_course::observe_and_fit() {
  const std::uint64_t wanted = std::min<std::uint64_t>(request_.fit_positions, positions_of(text_.train));
  batch_order order(text_.train, request_.batch_positions, request_.seed);
  progress bar("observing states", wanted);
  for (std::uint64_t seen = 0; seen < wanted && !stop_asked();) {
    const training_pack pack(text_.train, order.next(), long_positions_);
    trainer_.observe(pack.batch());
    seen += pack.positions();
    bar.add(pack.positions());
  }
  if (stop_asked()) return;
  const bool fits = request_.start == lens_start::least_squares;
  std::uint32_t what = 0;
  if (fits) what |= DLENS_FIT_TRANSLATORS;
  if (request_.whiten) what |= DLENS_FIT_COORDINATES;
  trainer_.fit(what, request_.ridge);
  if (fits) measure("initial");
}

bool training_course::measure(const std::string& lens) {
  if (text_.held_out.empty()) return true;
  std::optional<std::vector<float>> mean =
      mean_kl(trainer_, text_.held_out, {request_.batch_positions, long_positions_}, n_layers_);
  if (!mean) return false;
  loss_row row{lens, step_, trained_on_, *std::move(mean)};
  const float unigram = row.kl.back();
  row.kl.pop_back();
  log_info(cat("held-out text, ", lens, ": mean KL ", std::fixed, std::setprecision(3), mean_of(row.kl),
               " nats over layers 0 to ", n_layers_ - 1));
  if (std::isfinite(unigram)) {
    validation_.push_back({"unigram", step_, trained_on_, std::vector<float>(n_layers_, unigram)});
    log_info(cat("held-out text, unigram predictor: ", unigram, " nats"));
  }
  validation_.push_back(std::move(row));
  return true;
}

std::vector<float> training_course::measure_first_batch() const {
  batch_order order(text_.train, request_.batch_positions, request_.seed + 1);
  const training_pack pack(text_.train, order.next(), long_positions_);
  std::vector<float> kl = trainer_.measure(pack.batch(), n_layers_);
  kl.resize(n_layers_);
  return kl;
}

void training_course::write_tables() const {
  write_losses(folder_.train_table(), loss_kind::train, losses_);
  write_losses(folder_.validation_table(), loss_kind::validation, validation_);
}

// The tables come first: what a checkpoint goes on from is there when it is.
void training_course::save() {
  if (!begun_) return;
  write_tables();
  trainer_.save(folder_.checkpoint(), step_);
}

bool training_course::train() {
  batch_order order(text_.train, request_.batch_positions, request_.seed + 1);
  for (std::uint64_t s = 0; s < step_; ++s) order.next();
  batch_order ahead = order;
  std::uint64_t left = 0;
  for (std::uint64_t s = step_; s < request_.steps; ++s)
    for (const std::size_t i : ahead.next()) left += text_.train[i].size() - 1;
  progress bar("training", left);
  while (step_ < request_.steps && !stop_asked()) {
    const training_pack pack(text_.train, order.next(), long_positions_);
    loss_row row{"", step_ + 1, pack.positions(), trainer_.step(pack.batch(), rate_of(step_), n_layers_)};
    ++step_;
    trained_on_ += pack.positions();
    bar.note(cat("step ", step_, "  KL ", std::fixed, std::setprecision(3), mean_of(row.kl)));
    bar.add(pack.positions());
    losses_.push_back(std::move(row));
    if (step_ % request_.checkpoint_every == 0 && step_ < request_.steps) save();
  }
  if (stop_asked()) save();
  return !stop_asked();
}

}  // namespace depthlens
