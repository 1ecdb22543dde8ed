// SPDX-License-Identifier: Apache-2.0
#include "model/running_model.hpp"

#include "depthlens/base/abi_error.hpp"
#include "depthlens/base/hash.hpp"
#include "model/backend_advice.hpp"
#include "model/model_rules.hpp"
#include "model/self_check.hpp"
#include "model/slow_precision.hpp"
#include "process/plugin_call.hpp"
#include "terminal/log.hpp"
#include "terminal/stopwatch.hpp"

#include <boost/json.hpp>

#include <iomanip>
#include <utility>

namespace depthlens {

running_model::running_model(const opened_model& opened, const registry::backend& backend,
                             const work_rules& rules, std::uint64_t lens_bytes)
    : opened_(opened), about_(backend.about), table_(backend.table), views_(*opened.files), rules_(rules) {
  const stopwatch watch;
  fit_to(opened.files->arch(), rules_);
  name_backend(about_.word);
  plan(lens_bytes);
  dlens_model_options options = options_of(rules_);
  options.stream = memory_.streamed ? 1 : 0;
  options.device_memory = memory_.on_device ? memory_.budget.bytes : 0;
  const plugin_call call("backend", about_.word, "model_create");
  checked_call(table_->model_create, views_.c(), &std::as_const(options), &model_);
  opened.files->require_unchanged();  // it has what the files hold that were opened
  opened.files->forget_pages();
  if (memory_.streamed) {
    rules_.check_weights = [files = opened.files.get()] {
      files->require_unchanged();
      files->forget_pages();  // of the stages that are loaded
    };
  }
  load_seconds_ = watch.seconds();
}

running_model::~running_model() {
  lenses_.clear();  // before the model that holds them
  output_.reset();
  const plugin_call call("backend", backend_name(), "destroy");
  if (model_ != nullptr) model_->destroy(model_);
}

void running_model::plan(std::uint64_t lens_bytes) {
  const auto planned = plan_model(table_, views_.c(), rules_, lens_bytes);
  require_use(rules_, planned ? &planned->needs : nullptr);
  if (!planned) return;
  memory_ = planned->memory;
  require_fit(memory_);
  if (memory_.streamed)
    log_info(words_of(memory_));
  else if (memory_.weights > bytes_that_take_seconds)
    log_info(cat("loading ", memory_words(memory_.weights), " of weights"));
  rules_ = with_plan(std::move(rules_), memory_);
}

void running_model::check() {
  const stopwatch watch;
  checks_ = self_check(
      *opened_.files, model_,
      {.precision = rules_.precision, .token = opened_.first_token(), .skipped = rules_.skipped_checks});
  opened_.files->forget_pages();  // of the blocks that were read for it
  check_seconds_ = watch.seconds();
  log_info(cat("backend ", about_.word, ": ", info().device, "; model in ", rules_.precision,
               memory_.streamed ? ", streamed" : "", " ready in ", std::fixed, std::setprecision(2),
               load_seconds_ + check_seconds_, " s"));
  if (const auto slow = slow_precision(rules_.precision, info().device)) log_warning(*slow);
}

void running_model::add_lens(const lens_file& file) {
  lenses_.push_back(std::make_unique<backend_lens>(model_, file));
  active_.push_back({lenses_.back()->c(), static_cast<std::uint32_t>(file.layers().size())});
}

active_lens running_model::output() {
  if (!output_)
    output_ = std::make_unique<backend_lens>(model_, lens_file::output(opened_.files->arch().n_layers));
  return {output_->c(), 1};
}

boost::json::object running_model::describe() const {
  boost::json::object about;
  about["id"] = about_.id;
  about["version"] = about_.version;
  about["sha256"] = sha256_file(about_.path);
  about["device"] = info().device;
  about["weights"] = info().weights;
  depthlens::describe(advice_of(model_), about);
  return about;
}

std::unique_ptr<running_model> start_model(const opened_model& opened, registry& plugins,
                                           const work_rules& rules, std::uint64_t lens_bytes) {
  auto model =
      std::make_unique<running_model>(opened, plugins.choose_backend(rules.backend), rules, lens_bytes);
  model->check();
  return model;
}

}  // namespace depthlens
