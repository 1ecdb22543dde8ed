// SPDX-License-Identifier: Apache-2.0
#include "model/running_model.hpp"

#include "depthlens/base/abi_error.hpp"
#include "model/backend_advice.hpp"
#include "model/self_check.hpp"
#include "model/slow_precision.hpp"
#include "process/plugin_call.hpp"
#include "terminal/log.hpp"
#include "terminal/stopwatch.hpp"

#include <boost/json.hpp>

#include <iomanip>
#include <utility>

namespace depthlens {
namespace {

// Views the architecture's vectors.
dlens_architecture c_architecture(const architecture& a) {
  dlens_architecture c{};
  c.size = sizeof c;
  c.n_layers = a.n_layers;
  c.d_model = a.d_model;
  c.n_heads = a.n_heads;
  c.n_kv_heads = a.n_kv_heads;
  c.head_dim = a.head_dim;
  c.d_ff = a.d_ff;
  c.vocab_size = a.vocab_size;
  c.max_positions = a.max_positions;
  c.norm_kind = static_cast<std::uint32_t>(a.norm);
  c.activation = static_cast<std::uint32_t>(a.activation);
  c.block_form = static_cast<std::uint32_t>(a.form);
  c.rope_kind = static_cast<std::uint32_t>(a.rope);
  c.rope_dims = a.rope_dims;
  c.position_offset = a.position_offset;
  c.norm_eps = a.norm_eps;
  c.norm_offset = a.norm_offset;
  c.embed_scale = a.embed_scale;
  c.attention_scale = a.attention_scale;
  c.attention_softcap = a.attention_softcap;
  c.final_softcap = a.final_softcap;
  c.rope_inverse_frequency = a.rope_inv_freq.data();
  c.local_rope_inverse_frequency = a.local_rope_inv_freq.empty() ? nullptr : a.local_rope_inv_freq.data();
  c.window = a.window.empty() ? nullptr : a.window.data();
  c.rope_scale = a.rope_scale;
  return c;
}

// Views the tensor's name and bytes.
dlens_tensor c_tensor(const tensor_view& t) {
  dlens_tensor c{.size = sizeof c,
                 .dtype = static_cast<std::uint32_t>(t.type),
                 .name = to_text(t.name),
                 .n_dims = t.shape.size(),
                 .shape = {},
                 .data = t.data,
                 .bytes = t.bytes,
                 .row_group = t.row_group,
                 .group_stride = t.group_stride,
                 .row_stride = t.row_stride,
                 .column_stride = t.column_stride};
  for (std::size_t i = 0; i < t.shape.size(); ++i) c.shape[i] = t.shape[i];
  return c;
}

}  // namespace

running_model::running_model(const opened_model& opened, const registry::backend& backend,
                             const work_rules& rules)
    : opened_(opened), about_(backend.about), rules_(rules) {
  const stopwatch watch;
  make_views();
  const dlens_model_options options{sizeof options, rules.threads, rules.device.c_str(),
                                    rules.precision.c_str()};
  name_backend(about_.word);
  const plugin_call call("backend", about_.word, "model_create");
  checked_call(backend.table->model_create, &weights_, &options, &model_);
  opened.files->forget_pages();
  load_seconds_ = watch.seconds();
}

running_model::~running_model() {
  lenses_.clear();  // before the model that holds them
  const plugin_call call("backend", backend_name(), "destroy");
  if (model_ != nullptr) model_->destroy(model_);
}

void running_model::make_views() {
  architecture_ = c_architecture(opened_.files->arch());
  for (const tensor_view& t : opened_.files->tensors()) tensors_.push_back(c_tensor(t));
  for (const dlens_tensor& t : tensors_) tensor_pointers_.push_back(&t);
  weights_ = {.size = sizeof weights_,
              .architecture = &architecture_,
              .tensors = tensor_pointers_.data(),
              .n_tensors = tensor_pointers_.size()};
}

void running_model::check() {
  const stopwatch watch;
  checks_ = self_check(
      *opened_.files, model_,
      {.precision = rules_.precision, .token = opened_.first_token(), .skipped = rules_.skipped_checks});
  check_seconds_ = watch.seconds();
  log_info(cat("backend ", about_.word, ": ", info().device, "; model in ", rules_.precision, " ready in ",
               std::fixed, std::setprecision(2), load_seconds_ + check_seconds_, " s"));
  if (const auto slow = slow_precision(rules_.precision, info().device)) log_warning(*slow);
}

void running_model::add_lens(const lens_file& file) {
  lenses_.push_back(std::make_unique<backend_lens>(model_, file));
  active_.push_back({lenses_.back()->c(), static_cast<std::uint32_t>(file.layers().size())});
}

boost::json::object running_model::describe() const {
  boost::json::object about;
  about["id"] = about_.id;
  about["version"] = about_.version;
  about["device"] = info().device;
  about["weights"] = info().weights;
  depthlens::describe(advice_of(model_), about);
  return about;
}

std::unique_ptr<running_model> start_model(const opened_model& opened, registry& plugins,
                                           const work_rules& rules) {
  auto model = std::make_unique<running_model>(opened, plugins.choose_backend(rules.backend), rules);
  model->check();
  return model;
}

}  // namespace depthlens
