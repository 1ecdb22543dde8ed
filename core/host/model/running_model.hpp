// SPDX-License-Identifier: Apache-2.0
// A model at work: on the backend that was chosen for it, with the lenses that are read. Every command that
// computes comes to its readings through this.
#pragma once

#include "depthlens/abi/backend.h"
#include "model/lens.hpp"
#include "model/memory_plan.hpp"
#include "model/model_views.hpp"
#include "model/opened_model.hpp"
#include "model/work_rules.hpp"
#include "plugins/registry.hpp"

#include <boost/json/object.hpp>

#include <memory>
#include <string>
#include <vector>

namespace depthlens {

// All of it [main]; forward calls on c() may come from any thread.
class running_model {
 public:
  // Loads the weights, which takes seconds, or makes ready to stream them. The opened model outlives it.
  // lens_bytes: of the matrices of the lenses that will come. Throws what the backend reports, and
  // status::unavailable where the memory budget does not do.
  running_model(const opened_model& opened, const registry::backend& backend, const work_rules& rules,
                std::uint64_t lens_bytes = 0);
  ~running_model();
  running_model(const running_model&) = delete;

  // Does it read as its files say? See self_check.hpp, which also says what is thrown. Then the user hears on
  // what it runs, and where --precision is the slower choice.
  void check();

  // Puts a lens on the model, which keeps it; the file's values may be released then.
  void add_lens(const lens_file& file);
  const std::vector<active_lens>& lenses() const { return active_; }  // in the order in which they came

  // Reads layer n alone.
  active_lens output();

  const dlens_model* c() const { return model_; }
  const dlens_model_info& info() const { return *model_->info(model_); }
  const std::string& backend() const { return about_.word; }
  // The user's, with what the memory plan leaves for the work.
  const work_rules& rules() const { return rules_; }
  const memory_plan& memory() const { return memory_; }
  double load_seconds() const { return load_seconds_; }
  double check_seconds() const { return check_seconds_; }

  // For run.json: "backend", and "self_check", which is empty before check().
  boost::json::object describe() const;
  const boost::json::object& checks() const { return checks_; }

 private:
  void plan(std::uint64_t lens_bytes);

  const opened_model& opened_;
  const plugin_verdict about_;
  const dlens_backend* table_;
  const model_views views_;
  work_rules rules_;
  memory_plan memory_;
  dlens_model* model_ = nullptr;
  std::vector<std::unique_ptr<backend_lens>> lenses_;
  std::vector<active_lens> active_;
  std::unique_ptr<backend_lens> output_;
  boost::json::object checks_;
  double load_seconds_ = 0, check_seconds_ = 0;
};

// Chooses the backend, loads the model and checks it.
std::unique_ptr<running_model> start_model(const opened_model& opened, registry& plugins,
                                           const work_rules& rules, std::uint64_t lens_bytes = 0);

}  // namespace depthlens
