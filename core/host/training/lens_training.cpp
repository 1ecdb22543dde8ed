// SPDX-License-Identifier: Apache-2.0
#include "training/lens_training.hpp"

#include "model/thread_limit.hpp"
#include "process/stop_signal.hpp"
#include "results/figures_of_run.hpp"
#include "results/folder_owner.hpp"
#include "results/run_device.hpp"
#include "terminal/log.hpp"
#include "terminal/stopwatch.hpp"
#include "training/finished_lens.hpp"
#include "training/lens_folder.hpp"
#include "training/trainable_backend.hpp"
#include "training/training_course.hpp"

#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <memory>

namespace depthlens {
namespace {

training_text read_text(const train_request& request, const opened_model& model) {
  training_text text = read_training_text(request.text, model, request.context,
                                          {.file = request.validation_file,
                                           .share = request.validation_share,
                                           .positions = request.validation_positions});
  log_info(
      cat(positions_of(text.train), " positions to train on, ", positions_of(text.held_out), " held out"));
  if (text.held_out.empty())
    log_warning("no text is held out: what training does to each layer is not measured on other text");
  return text;
}

// A training that is there keeps its backend.
std::unique_ptr<running_model> start_trainable(const train_request& request, const opened_model& model,
                                               registry& plugins, held_training& folder) {
  work_rules rules = request.work;
  rules.backend = folder.backend();
  rules.streaming = false;  // a step goes through all layers
  auto running = load_backend_that(plugins, model, rules, training_ability);
  folder.set_backend(running->backend());
  take_model(*running, request.allow_mixed_devices ? mixed_devices::allowed : mixed_devices::refused,
             folder.root(), folder.fields());
  return running;
}

dlens_trainer_options trainer_options(const train_request& request) {
  return {.size = sizeof(dlens_trainer_options),
          .optimizer = static_cast<std::uint32_t>(request.adam ? DLENS_OPTIMIZER_ADAM : DLENS_OPTIMIZER_SGD),
          .flags = request.bias_only ? static_cast<std::uint32_t>(DLENS_TRAINER_BIAS_ONLY) : 0,
          .threads = request.work.threads,
          .momentum = request.momentum,
          .second_momentum = request.second_momentum,
          .weight_decay = request.weight_decay,
          .gradient_limit = request.gradient_limit};
}

// False where it was stopped.
bool train(training_course& course) {
  course.begin();
  const stopwatch watch;
  const std::uint64_t before = course.trained_on();
  if (!course.train()) return false;
  const double seconds = watch.seconds();
  const std::uint64_t positions = course.trained_on() - before;
  log_info(cat(positions, " positions in ", std::fixed, std::setprecision(1), seconds, " s, ",
               static_cast<double>(positions) / std::max(seconds, 1e-9), "/s"));
  return true;
}

// What is not there yet.
void draw(const std::vector<std::string>& formats, held_training& folder) {
  const auto pictures = draw_figures_if_any(folder.root(), folder.fields(), formats, redraw::missing);
  if (!pictures || pictures->empty()) return;
  note_figures(folder.fields(), folder.root(), *pictures);
  folder.write("complete");
}

int draw_and_name(const std::vector<std::string>& formats, held_training& folder) {
  draw(formats, folder);
  std::cout << folder.root().string() << '\n';
  return 0;
}

}  // namespace

int execute_training(const train_request& request, registry& plugins) {
  const thread_limit limit(request.work.threads);
  const opened_model model = opened_model::open(request.model, request.bos, "", request.policy);
  refuse_inputs_within(request.out, {model.path, request.text, request.validation_file});
  refuse_foreign_folder(request.out, "cannot become the folder of a lens");
  const training_text text = read_text(request, model);
  held_training folder(request, model, text);
  if (folder.is_finished()) {
    refuse_altered_lens(folder.fields(), folder.root());
    log_info("nothing new: the lens is trained");
    return draw_and_name(request.formats, folder);
  }
  const auto running = start_trainable(request, model, plugins, folder);
  backend_trainer trainer(running->c(), trainer_options(request));
  folder.write("running");
  training_course course(request, text, model.files->arch(), trainer, folder);
  if (!train(course) || !finish_lens(request, model, text, trainer, course, folder)) {
    folder.write("stopped");
    log_warning(cat("stopped after step ", course.step(), " of ", request.steps,
                    "; the same command goes on from there"));
    return static_cast<int>(status::stopped);
  }
  folder.write("complete");
  for (const auto& unneeded : {folder.checkpoint(), folder.start()}) std::filesystem::remove(unneeded);
  return draw_and_name(request.formats, folder);
}

}  // namespace depthlens
