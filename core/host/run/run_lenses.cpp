// SPDX-License-Identifier: Apache-2.0
#include "run/run_lenses.hpp"

#include "terminal/log.hpp"

#include <algorithm>

namespace depthlens {

null_kind parse_null(const std::string& text) {
  if (text.empty()) return null_kind::none;
  if (text == "zero") return null_kind::zero;
  if (text == "mean") return null_kind::mean;
  if (text == "untrained") return null_kind::untrained;
  if (text == "shuffled") return null_kind::shuffled;
  fail(status::usage, "--null ", text, ": expected zero, mean, untrained or shuffled");
}

bool run_lenses::make_control(std::size_t lens, std::string& reason) {
  if (null_.kind == null_kind::untrained && lenses_[lens].spec.kind != lens_kind::logit) {
    reason = "it was trained for the model's own states";
    return false;
  }
  if (null_.kind != null_kind::zero) return true;
  try {
    controls_.push_back(lens_file::null_of(lenses_[lens].file, nullptr, model_.arch().d_model,
                                           zero_is_constant(), "null zero"));
  } catch (const error& e) {
    reason = e.what();
    return false;
  }
  return true;
}

run_lenses::run_lenses(std::vector<lens_spec> specs, const null_request& null, const model_files& model,
                       bool force)
    : model_(model), null_(null), lenses_(open_lenses(std::move(specs), model, force)) {
  for (const opened_lens& l : lenses_) labels_.push_back(l.spec.label);
  if (null.kind == null_kind::none) return;
  const char* option = null.kind == null_kind::untrained ? "--null untrained" : "--null zero";
  std::string reason;
  for (std::size_t i = 0; i < lenses_.size(); ++i) {
    if (!make_control(i, reason)) {
      log_warning(cat(option, ": lens ", labels_[i], " has no such control: ", reason));
      continue;
    }
    null_source_.push_back(i);
    labels_.push_back(labels_[i] + "-null");
    // The second is the figure that shows a lens beside its control.
    for (const std::string& taken : {labels_.back(), labels_[i] + "_null"})
      if (std::count(labels_.begin(), labels_.end(), taken) > (taken == labels_.back() ? 1 : 0))
        fail(status::usage, "--null: a lens is called ", taken, " already");
  }
  if (null_source_.empty()) fail(status::usage, option, ": no lens of this run has such a control: ", reason);
}

std::optional<std::size_t> run_lenses::read_by(std::size_t i) const {
  if (!is_null(i) || (null_.kind != null_kind::untrained && null_.kind != null_kind::shuffled))
    return std::nullopt;
  return null_source_[i - lenses_.size()];
}

std::string run_lenses::control_key() const {
  return cat("null ", null_.kind == null_kind::untrained ? "untrained" : "shuffled", ", seed ", null_.seed);
}

// A norm of the zero vector is its bias.
bool run_lenses::zero_is_constant() const {
  const auto says_nothing = [this](const char* name) {
    const tensor_view* bias = model_.find_tensor(name);
    return bias == nullptr ||
           std::all_of(bias->data, bias->data + bias->bytes, [](std::byte b) { return b == std::byte{0}; });
  };
  return says_nothing("final_norm.bias") && says_nothing("unembed.bias");
}

void run_lenses::set_means(const mean_states& means) {
  const std::string key = "null mean " + means.sha256();
  for (const std::size_t source : null_source_)
    controls_.push_back(lens_file::null_of(lenses_[source].file, means.values.data(), means.d_model,
                                           zero_is_constant(), key));
}

void run_lenses::release(std::size_t i) {
  (is_null(i) ? controls_.at(i - lenses_.size()) : lenses_[i].file).release();
}

std::optional<std::size_t> run_lenses::null_of(std::size_t i) const {
  const auto at = std::find(null_source_.begin(), null_source_.end(), i);
  if (is_null(i) || at == null_source_.end()) return std::nullopt;
  return lenses_.size() + static_cast<std::size_t>(at - null_source_.begin());
}

const char* run_lenses::control_label() const {
  if (null_.kind == null_kind::untrained) return "untrained";
  return null_.kind == null_kind::shuffled ? "shuffled" : "null";
}

bool run_lenses::has_tuned() const {
  return std::any_of(lenses_.begin(), lenses_.end(),
                     [](const opened_lens& l) { return l.spec.kind == lens_kind::tuned; });
}

boost::json::object run_lenses::key() const {
  boost::json::object out;
  for (std::size_t i = 0; i < files(); ++i) out[labels_[i]] = file(i).key();
  for (std::size_t i = 0; i < size(); ++i)
    if (read_by(i)) out[labels_[i]] = control_key();
  return out;
}

boost::json::object run_lenses::describe() const {
  boost::json::object out;
  for (const opened_lens& l : lenses_) {
    boost::json::object one;
    one["lens"] = l.spec.text;
    one["unembedding"] = l.match;
    if (!l.file.about().dtype.empty()) one["dtype"] = l.file.about().dtype;
    if (l.file.about().target_layer) one["target_layer"] = *l.file.about().target_layer;
    out[l.spec.label] = std::move(one);
  }
  for (std::size_t i = 0; i < null_source_.size(); ++i) {
    boost::json::object one;
    one["control_of"] = labels_[null_source_[i]];
    if (read_by(lenses_.size() + i)) one["control"] = control_key();
    out[labels_[lenses_.size() + i]] = std::move(one);
  }
  return out;
}

std::uint64_t run_lenses::matrix_bytes() const { return depthlens::matrix_bytes(lenses_); }

std::vector<std::string> run_lenses::with_weights() const {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < size(); ++i) out.push_back(is_trained(i) || is_null(i) ? labels_[i] : "");
  return out;
}

}  // namespace depthlens
