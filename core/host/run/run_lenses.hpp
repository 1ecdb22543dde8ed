// SPDX-License-Identifier: Apache-2.0
// The lenses of a run in the order of its results: those that were asked for, then their controls,
// LABEL-null: lenses which say the same whatever the prompt is, or the same lens where an untrained model or
// a shuffled prompt is read.
#pragma once

#include "depthlens/model/model_files.hpp"
#include "engine/mean_states.hpp"
#include "model/opened_lens.hpp"

#include <boost/json.hpp>

#include <optional>
#include <string>
#include <vector>

namespace depthlens {

enum class null_kind { none, zero, mean, untrained, shuffled };

// "zero", "mean", "untrained", "shuffled", "" = none; else status::usage.
null_kind parse_null(const std::string& text);

struct null_request {
  null_kind kind = null_kind::none;
  std::uint64_t seed = 0;  // of untrained weights, and of the order of shuffled tokens
};

class run_lenses {
 public:
  // Reads and matches all lenses; `model` outlives it. Lenses that have no such control are named in a
  // warning; throws status::usage where none has one, and what open_lenses throws.
  run_lenses(std::vector<lens_spec> specs, const null_request& null, const model_files& model, bool force);

  // For --null mean, before the controls are used.
  void set_means(const mean_states& means);

  std::size_t size() const { return labels_.size(); }  // controls included
  const std::vector<std::string>& labels() const { return labels_; }
  std::uint64_t matrix_bytes() const;  // that a backend holds of all of them
  // Labels of those with values of their own, which may be what is not finite; "" for the logit lens.
  std::vector<std::string> with_weights() const;
  const std::vector<std::int32_t>& layers(std::size_t i) const {
    const auto source = read_by(i);
    return file(source ? *source : i).layers();
  }
  // Of a control that is another reading by the same lens: that lens.
  std::optional<std::size_t> read_by(std::size_t i) const;
  std::size_t files() const { return lenses_.size() + controls_.size(); }  // lenses for a backend: file(i)
  const lens_file& file(std::size_t i) const {
    return is_null(i) ? controls_.at(i - lenses_.size()) : lenses_[i].file;
  }
  void release(std::size_t i);  // its values, once a backend has its copy
  // The control of a lens, and whether it is one.
  std::optional<std::size_t> null_of(std::size_t i) const;
  bool is_null(std::size_t i) const { return i >= lenses_.size(); }
  // Tuned, Jacobian or constant: anything but the logit lens and the controls.
  bool is_trained(std::size_t i) const { return !is_null(i) && lenses_[i].spec.kind != lens_kind::logit; }
  const char* control_label() const;  // of its lines in figures
  bool has_tuned() const;             // a tuned lens is among them, which the paper's figures are of

  boost::json::object key() const;       // by label, without the controls of means that are not set yet
  boost::json::object describe() const;  // by label, for people

 private:
  bool zero_is_constant() const;
  // Names what becomes the control of a lens; false = the lens has none, and `reason` says why.
  bool make_control(std::size_t lens, std::string& reason);
  std::string control_key() const;

  const model_files& model_;
  const null_request null_;
  std::vector<opened_lens> lenses_;
  std::vector<std::string> labels_;
  std::vector<std::size_t> null_source_;  // of each control, the lens it is of
  std::vector<lens_file> controls_;       // that are lenses; those of means come late
};

}  // namespace depthlens
