// SPDX-License-Identifier: Apache-2.0
#include "training/finished_lens.hpp"

#include "model/lens_match.hpp"
#include "terminal/log.hpp"
#include "training/lens_folder.hpp"
#include "training/start_translators.hpp"

#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <utility>

namespace depthlens {
namespace {

// Steps of a rate that suits the early layers can lead away from a start that suits the last ones.
void keep_better_layers(const train_request& request, training_course& course, held_training& folder,
                        trainer_array& weight, trainer_array& bias) {
  const std::vector<loss_row>& measured = course.validation();
  if (measured.empty() || !std::filesystem::exists(folder.start())) return;
  const bool fitted = request.start == lens_start::least_squares;
  const auto begin = std::find_if(measured.begin(), measured.end(), [&](const loss_row& r) {
    return r.lens == (fitted ? "initial" : "logit");
  });
  loss_row& end = course.last_validation();
  if (begin == measured.end() || end.lens != "trained") return;
  const std::vector<std::size_t> worse = layers_made_worse(*begin, end);
  boost::json::array kept(worse.begin(), worse.end());
  if (!worse.empty()) {
    restore_layers(folder.start(), worse, weight, bias);
    for (const std::size_t i : worse) end.kl[i] = begin->kl[i];
    log_info(cat("layers chosen on the held-out text: ", worse.size(), " of ", end.kl.size(),
                 " are closer to the output as they began, and stay so: mean KL ", std::fixed,
                 std::setprecision(3), mean_of(end.kl), " nats"));
  }
  folder.fields()["layers_as_begun"] = std::move(kept);
}

void warn_of_worse_layers(const training_course& course, bool held_out, std::size_t n_layers,
                          const boost::json::object& manifest) {
  loss_row logit, end;
  if (held_out) {
    for (const loss_row& r : course.validation())
      if (r.lens == "logit") logit = r;
    end = course.validation().back();
  } else {
    if (const auto* kl = manifest.if_contains(first_batch_loss))
      logit.kl = boost::json::value_to<std::vector<float>>(*kl);
    if (logit.kl.size() == n_layers) end.kl = course.measure_first_batch();
  }
  if (logit.kl.size() != n_layers || end.kl.size() != n_layers) return;
  warn_of_layers_made_worse(logit, end, held_out ? "the held-out text" : "the first batch of the text");
}

}  // namespace

bool finish_lens(const train_request& request, const opened_model& model, const training_text& text,
                 const backend_trainer& trainer, training_course& course, held_training& folder) {
  if (!course.measure("trained")) {
    course.save();
    return false;
  }
  const architecture& a = model.files->arch();
  trainer_array weight = trainer.read("weight"), bias = trainer.read("bias");
  keep_better_layers(request, course, folder, weight, bias);
  warn_of_worse_layers(course, !text.held_out.empty(), a.n_layers, folder.fields());
  course.write_tables();
  write_lens_folder(folder.root(), {model.name, unembed_hash(*model.files), a.n_layers, a.d_model}, weight,
                    bias);
  describe_losses(course.validation(), text.held_out.size(), folder.fields());
  boost::json::object result;
  result["steps"] = course.step();
  result["positions"] = course.trained_on();
  for (const loss_row& r : course.validation()) result["kl_" + r.lens] = mean_of(r.kl);
  folder.fields()["result"] = std::move(result);
  note_lens_folder(folder.fields(), folder.root());
  return true;
}

}  // namespace depthlens
