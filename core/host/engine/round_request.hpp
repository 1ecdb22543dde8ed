// SPDX-License-Identifier: Apache-2.0
// What one call of a study's plan asks for: the C table that it asks by, and the checks of it.
#pragma once

#include "depthlens/abi/experiment.h"
#include "engine/record_job.hpp"

#include <string>

namespace depthlens {

class round_request {
 public:
  // to, which outlives it, gets what is asked for.
  round_request(round& to, const model_shape& model);
  round_request(const round_request&) = delete;

  const dlens_request* c() const { return &c_; }
  // What was asked for and cannot be; whatever code the plugin made of it.
  const std::string& refused() const { return refused_; }
  // Behind plan: looks at what refers to what came later. Errors: status::internal.
  void complete() const;

 private:
  template <class Function>
  static dlens_status answer(const dlens_request* r, dlens_error* e, Function&& fn) noexcept;
  static dlens_status add_sequence(const dlens_request*, const std::int32_t* ids, std::uint64_t n,
                                   std::uint32_t* sequence, dlens_error*) noexcept;
  static dlens_status add_read(const dlens_request*, const dlens_read* read, std::uint32_t* number,
                               dlens_error*) noexcept;
  static dlens_status add_changed(const dlens_request*, const std::int32_t* ids, std::uint64_t n,
                                  const dlens_change* const* changes, std::uint64_t n_changes,
                                  std::uint32_t* sequence, dlens_error*) noexcept;
  static dlens_status add_generation(const dlens_request*, const dlens_generation* generation,
                                     std::uint32_t* number, dlens_error*) noexcept;

  std::uint32_t add(const std::int32_t* ids, std::uint64_t n);
  void check(const dlens_read* read) const;
  state_edit edit_of(const dlens_change* change, std::uint64_t n) const;

  round& to_;
  const model_shape model_;
  std::string refused_;
  dlens_request c_{};
};

}  // namespace depthlens
