// SPDX-License-Identifier: Apache-2.0
#include "training/lens_training.hpp"

#include "depthlens/base/hash.hpp"
#include "depthlens/base/text.hpp"
#include "model/lens_match.hpp"
#include "model/opened_model.hpp"
#include "model/self_check.hpp"
#include "model/thread_limit.hpp"
#include "process/stop_signal.hpp"
#include "results/figures_of_run.hpp"
#include "results/folder_owner.hpp"
#include "results/manifest.hpp"
#include "results/model_description.hpp"
#include "results/run_device.hpp"
#include "results/run_folder.hpp"
#include "terminal/log.hpp"
#include "terminal/progress.hpp"
#include "training/backend_trainer.hpp"
#include "training/batches.hpp"
#include "training/held_out_loss.hpp"
#include "training/lens_folder.hpp"
#include "training/loss_table.hpp"
#include "training/start_translators.hpp"
#include "training/text_sequences.hpp"
#include "training/trainable_backend.hpp"
#include "version.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <optional>
#include <tuple>

namespace depthlens {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFirstBatch = "logit_kl_of_first_batch";  // in run.json, where no text is held out

class lens_training {
 public:
  explicit lens_training(train_request request)
      : request_(std::move(request)),
        limit_(request_.threads),
        model_(opened_model::open(request_.model, request_.bos, "", request_.policy)),
        n_layers_(model_.files->arch().n_layers) {
    refuse_inputs_within(request_.out, {model_.path, request_.text, request_.validation_file});
    refuse_foreign_folder(request_.out, "cannot become the folder of a lens");
    read_text();
  }

  int execute(registry& plugins);

 private:
  void read_text();
  void open_folder();
  boost::json::object key() const;
  void start_trainer(registry& plugins);
  void begin();
  void observe_and_fit();
  bool train();
  void save();
  bool measure(const std::string& lens);  // false where it was stopped
  std::vector<float> measure_first_batch() const;
  void keep_better_layers(trainer_array& weight, trainer_array& bias);
  void warn_of_worse_layers() const;
  bool write_lens();
  bool finish();
  void draw();
  void write_manifest(const char* status);
  int stopped();
  double rate_of(std::uint64_t step) const {
    return request_.learning_rate *
           (1 - static_cast<double>(step) / static_cast<double>(std::max<std::uint64_t>(request_.steps, 1)));
  }
  fs::path checkpoint() const { return folder_->root() / "checkpoint.safetensors"; }
  fs::path start() const { return folder_->root() / "start.safetensors"; }
  fs::path train_table() const { return folder_->data() / "train.csv"; }
  fs::path validation_table() const { return folder_->data() / "validation.csv"; }

  const train_request request_;
  thread_limit limit_;
  opened_model model_;
  const std::uint32_t n_layers_;
  token_sequences text_, held_out_;
  std::optional<run_folder> folder_;
  manifest manifest_;
  std::string backend_word_;  // "auto" until one is chosen
  std::unique_ptr<backend_model> running_;
  std::unique_ptr<backend_trainer> trainer_;
  bool begun_ = false;  // the state to start from is complete
  std::uint64_t step_ = 0, trained_on_ = 0;
  std::vector<loss_row> losses_, validation_;
};

void lens_training::read_text() {
  const held_out_part part{request_.validation_file, request_.validation_share,
                           request_.validation_positions};
  std::tie(text_, held_out_) = read_training_text(request_.text, model_, request_.context, part);
  log_info(cat(positions_of(text_), " positions to train on, ", positions_of(held_out_), " held out"));
  if (held_out_.empty())
    log_warning("no text is held out: what training does to each layer is not measured on other text");
}

boost::json::object lens_training::key() const {
  boost::json::object out;
  out["mode"] = "lens train";
  out["model_sha256"] = model_.files->content_hash();
  out["tokenizer_sha256"] = model_.tokens->get().content_hash();
  out["text_sha256"] = sha256_file(request_.text);
  if (request_.validation_file.empty())
    out["validation_share"] = request_.validation_share;
  else
    out["validation_sha256"] = sha256_file(request_.validation_file);
  out["bos"] = request_.bos_text;
  out["backend"] = backend_word_;
  out["precision"] = request_.precision;
  out["training"] = options_of(request_);
  return out;
}

void lens_training::open_folder() {
  if (request_.fresh)
    if (const fs::path old = move_aside(request_.out); !old.empty())
      log_info(cat("the former training is now ", old.string()));
  folder_.emplace(request_.out);
  manifest_ = manifest::read(folder_->manifest());
  backend_word_ = request_.backend;
  if (backend_word_ == "auto")  // a training that is there keeps its backend
    if (const auto* of = object_at(&manifest_.fields, "key"); of && of->contains("backend"))
      if (const auto& kept = of->at("backend"); kept.is_string())
        backend_word_ = std::string(kept.get_string());
  boost::json::object now = key();
  refuse_other_key(manifest_, now, folder_->root(), "training of another configuration");
  manifest_.fields["key"] = std::move(now);
  boost::json::object text;
  text["file"] = visible(request_.text.string());
  text["positions"] = positions_of(text_);
  text["held_out_positions"] = positions_of(held_out_);
  manifest_.fields["text"] = std::move(text);
  manifest_.fields["depthlens"] = DEPTHLENS_VERSION;
  manifest_.fields["format"] = manifest::format;
  describe_model(model_, manifest_.fields);
}

void lens_training::start_trainer(registry& plugins) {
  trainable_backend chosen =
      open_trainable(plugins, model_, backend_word_, {request_.device, request_.precision, request_.threads});
  running_ = std::move(chosen.model);
  backend_word_ = chosen.word;
  manifest_.fields["key"].as_object()["backend"] = backend_word_;
  const std::vector<std::string> devices = take_device(
      manifest_.fields, running_->info().device,
      request_.allow_mixed_devices ? mixed_devices::allowed : mixed_devices::refused, folder_->root());
  manifest_.fields["backend"] = {{"device", running_->info().device},
                                 {"devices", boost::json::value_from(devices)}};
  std::uint32_t flags = 0;
  if (request_.bias_only) flags |= DLENS_TRAINER_BIAS_ONLY;
  const dlens_trainer_options options{sizeof options,
                                      request_.adam ? DLENS_OPTIMIZER_ADAM : DLENS_OPTIMIZER_SGD,
                                      flags,
                                      request_.threads,
                                      request_.momentum,
                                      request_.second_momentum,
                                      request_.weight_decay,
                                      request_.gradient_limit};
  trainer_ = std::make_unique<backend_trainer>(running_->c(), options, backend_word_);
  log_info(cat("backend ", backend_word_, ": ", running_->info().device, ", ", running_->info().weights));
  manifest_.fields["self_check"] = self_check(
      *model_.files, running_->c(), {request_.precision, model_.first_token(), request_.skipped_checks});
}

void lens_training::begin() {
  if (fs::exists(checkpoint())) {
    step_ = trainer_->load(checkpoint());
    losses_ = read_losses(train_table(), loss_kind::train, n_layers_, step_);
    validation_ = read_losses(validation_table(), loss_kind::validation, n_layers_, 0);
    if (step_ > request_.steps || losses_.size() != step_)
      fail(status::data, checkpoint().string(), ": is at step ", step_, ", and ", train_table().string(),
           " has ", losses_.size(), " steps; --fresh begins again");
    for (const loss_row& r : losses_) trained_on_ += r.positions;
    begun_ = true;
    log_info(cat("going on after step ", step_, " of ", request_.steps));
    return;
  }
  if (!measure("logit")) return;
  if (held_out_.empty()) {
    manifest_.fields[kFirstBatch] = boost::json::value_from(measure_first_batch());
    manifest_.write(folder_->manifest());
  }
  if (request_.start == lens_start::least_squares || request_.whiten) observe_and_fit();
  begun_ = !stop_asked();
  if (begun_ && !held_out_.empty()) write_arrays(start(), {trainer_->read("weight"), trainer_->read("bias")});
  save();
}

void lens_training::observe_and_fit() {
  const std::uint64_t wanted = std::min<std::uint64_t>(request_.fit_positions, positions_of(text_));
  batch_order order(text_, request_.batch_positions, request_.seed);
  progress bar("observing states", wanted);
  for (std::uint64_t seen = 0; seen < wanted && !stop_asked();) {
    const training_pack pack(text_, order.next());
    trainer_->observe(pack.batch());
    seen += pack.positions();
    bar.add(pack.positions());
  }
  if (stop_asked()) return;
  const bool fits = request_.start == lens_start::least_squares;
  std::uint32_t what = 0;
  if (fits) what |= DLENS_FIT_TRANSLATORS;
  if (request_.whiten) what |= DLENS_FIT_COORDINATES;
  trainer_->fit(what, request_.ridge);
  if (fits) measure("initial");
}

bool lens_training::measure(const std::string& lens) {
  if (held_out_.empty()) return true;
  std::optional<std::vector<float>> mean = mean_kl(*trainer_, held_out_, request_.batch_positions, n_layers_);
  if (!mean) return false;
  loss_row row{lens, step_, trained_on_, {}};
  row.kl = *std::move(mean);
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

// The tables come first: what a checkpoint goes on from is there when it is.
void lens_training::save() {
  if (!begun_) return;
  write_losses(train_table(), loss_kind::train, losses_);
  write_losses(validation_table(), loss_kind::validation, validation_);
  trainer_->save(checkpoint(), step_);
}

// False where it was stopped.
bool lens_training::train() {
  batch_order order(text_, request_.batch_positions, request_.seed + 1);
  for (std::uint64_t s = 0; s < step_; ++s) order.next();
  batch_order ahead = order;
  std::uint64_t left = 0;
  for (std::uint64_t s = step_; s < request_.steps; ++s)
    for (const std::size_t i : ahead.next()) left += text_[i].size() - 1;
  progress bar("training", left);
  while (step_ < request_.steps && !stop_asked()) {
    const training_pack pack(text_, order.next());
    loss_row row{"", step_ + 1, pack.positions(), trainer_->step(pack.batch(), rate_of(step_), n_layers_)};
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

// Steps of a rate that suits the early layers can lead away from a start that suits the last ones.
void lens_training::keep_better_layers(trainer_array& weight, trainer_array& bias) {
  if (validation_.empty() || !fs::exists(start())) return;
  const bool fitted = request_.start == lens_start::least_squares;
  const auto begin = std::find_if(validation_.begin(), validation_.end(), [&](const loss_row& r) {
    return r.lens == (fitted ? "initial" : "logit");
  });
  loss_row& end = validation_.back();
  if (begin == validation_.end() || end.lens != "trained") return;
  const std::vector<std::size_t> worse = layers_made_worse(*begin, end);
  boost::json::array kept(worse.begin(), worse.end());
  if (!worse.empty()) {
    restore_layers(start(), worse, weight, bias);
    for (const std::size_t i : worse) end.kl[i] = begin->kl[i];
    log_info(cat("layers chosen on the held-out text: ", worse.size(), " of ", n_layers_,
                 " are closer to the output as they began, and stay so: mean KL ", std::fixed,
                 std::setprecision(3), mean_of(end.kl), " nats"));
  }
  manifest_.fields["layers_as_begun"] = std::move(kept);
}

// What stands for a held-out text where there is none.
std::vector<float> lens_training::measure_first_batch() const {
  const training_pack pack(text_, batch_order(text_, request_.batch_positions, request_.seed + 1).next());
  std::vector<float> kl = trainer_->measure(pack.batch(), n_layers_);
  kl.resize(n_layers_);
  return kl;
}

void lens_training::warn_of_worse_layers() const {
  loss_row logit, end;
  if (held_out_.empty()) {
    if (const auto* kl = manifest_.fields.if_contains(kFirstBatch))
      logit.kl = boost::json::value_to<std::vector<float>>(*kl);
    if (logit.kl.size() == n_layers_) end.kl = measure_first_batch();
  } else {
    for (const loss_row& r : validation_)
      if (r.lens == "logit") logit = r;
    end = validation_.back();
  }
  if (logit.kl.size() != n_layers_ || end.kl.size() != n_layers_) return;
  warn_of_layers_made_worse(logit, end,
                            held_out_.empty() ? "the first batch of the text" : "the held-out text");
}

// False where it was stopped: the checkpoint is of the last step then.
bool lens_training::write_lens() {
  if (!measure("trained")) {
    save();
    return false;
  }
  trainer_array weight = trainer_->read("weight"), bias = trainer_->read("bias");
  keep_better_layers(weight, bias);
  warn_of_worse_layers();
  write_losses(train_table(), loss_kind::train, losses_);
  write_losses(validation_table(), loss_kind::validation, validation_);
  const architecture& a = model_.files->arch();
  write_lens_folder(folder_->root(), {model_.name, unembed_hash(*model_.files), n_layers_, a.d_model}, weight,
                    bias);
  return true;
}

bool lens_training::finish() {
  if (!write_lens()) return false;
  describe_losses(validation_, held_out_.size(), manifest_.fields);
  boost::json::object result;
  result["steps"] = step_;
  result["positions"] = trained_on_;
  for (const loss_row& r : validation_) result["kl_" + r.lens] = mean_of(r.kl);
  manifest_.fields["result"] = std::move(result);
  note_lens_folder(manifest_.fields, folder_->root());
  write_manifest("complete");
  for (const fs::path& unneeded : {checkpoint(), start()}) fs::remove(unneeded);
  return true;
}

// What is not there yet.
void lens_training::draw() {
  const auto pictures =
      draw_figures_if_any(folder_->root(), manifest_.fields, request_.formats, redraw::missing);
  if (!pictures || pictures->empty()) return;
  note_figures(manifest_.fields, folder_->root(), *pictures);
  write_manifest("complete");
}

void lens_training::write_manifest(const char* status) {
  folder_->lock().check_now();
  manifest_.fields["status"] = status;
  manifest_.write(folder_->manifest());
}

int lens_training::stopped() {
  write_manifest("stopped");
  log_warning(
      cat("stopped after step ", step_, " of ", request_.steps, "; the same command goes on from there"));
  return static_cast<int>(status::stopped);
}

int lens_training::execute(registry& plugins) {
  open_folder();
  if (is_complete(manifest_.fields) && fs::exists(folder_->root() / "params.pt")) {
    refuse_altered_lens(manifest_.fields, folder_->root());
    log_info("nothing new: the lens is trained");
    draw();
    std::cout << folder_->root().string() << '\n';
    return 0;
  }
  start_trainer(plugins);
  write_manifest("running");
  begin();
  const auto start = std::chrono::steady_clock::now();
  const std::uint64_t before = trained_on_;
  if (!train()) return stopped();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  log_info(cat(trained_on_ - before, " positions in ", std::fixed, std::setprecision(1), seconds, " s, ",
               static_cast<double>(trained_on_ - before) / std::max(seconds, 1e-9), "/s"));
  if (!finish()) return stopped();
  draw();
  std::cout << folder_->root().string() << '\n';
  return 0;
}

}  // namespace

int execute_training(train_request request, registry& plugins) {
  return lens_training(std::move(request)).execute(plugins);
}

}  // namespace depthlens
