// SPDX-License-Identifier: Apache-2.0
// Checks of what an experiment declares: its options and inputs, its tables and figures.
#include "validate/check.hpp"

#include "depthlens/abi/experiment.h"
#include "depthlens/base/error.hpp"
#include "plugins/description_check.hpp"
#include "validate/experiment_trial.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace depthlens {
namespace {

const dlens_experiment& experiment_of(checked_plugin& p) {
  const dlens_plugin* plugin = load_plugin(p.file);
  if (plugin == nullptr) fail(status::unavailable, p.file.reason);
  const auto* table = static_cast<const dlens_experiment*>(plugin->get_interface(DLENS_EXPERIMENT_INTERFACE));
  if (table == nullptr) fail(status::unavailable, "it does not offer " DLENS_EXPERIMENT_INTERFACE);
  check_experiment(*table);
  return *table;
}

bool is_plain(std::string_view id) {
  return std::all_of(id.begin(), id.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

outcome options_are_declared_well(checked_plugin& p) {
  const dlens_experiment& e = experiment_of(p);
  if (e.n_inputs == 0) return failed("it takes no data: it declares no input");
  for (const dlens_option* o : std::span(e.options, e.n_options)) {
    if (!is_plain(o->id)) return failed(cat("option ", o->id, ": expected a-z, 0-9 and -"));
    if (*o->help == '\0') return warned(cat("option ", o->id, " has no help"));
    if (o->fallback == nullptr && o->type != DLENS_OPTION_FILE && (o->flags & DLENS_GIVEN_REPEATEDLY) == 0)
      return failed(cat("option ", o->id, " has no default, which only files and repeated ones may lack"));
  }
  return passed();
}

// Values at which an option may be given: its bounds, its choices.
std::vector<std::string> edges_of(const dlens_option& o) {
  std::vector<std::string> out;
  if (o.type == DLENS_OPTION_BOOL) out = {"true", "false"};
  if (o.type == DLENS_OPTION_I64 && o.least < o.most) out = {cat(o.least), cat(o.most)};
  if (o.type == DLENS_OPTION_F64 && o.min < o.max) out = {cat(o.min), cat(o.max)};
  for (const char* const* c = o.choices; c != nullptr && *c != nullptr; ++c) out.emplace_back(*c);
  return out;
}

outcome options_work_at_their_bounds(checked_plugin& p) {
  const dlens_experiment& e = experiment_of(p);
  std::string refused;
  for (const dlens_option* o : std::span(e.options, e.n_options))
    for (const std::string& value : edges_of(*o)) {
      try {
        describe_trial(p, {{o->id, value}});
      } catch (const error& why) {
        if (why.code() == status::internal)
          return failed(cat("with --", o->id, ' ', value, ": ", why.what()));
        refused += cat(refused.empty() ? "" : "; ", "--", o->id, ' ', value, ": ", why.what());
      }
    }
  return refused.empty() ? passed() : warned("refused alone, which may be right: " + refused);
}

outcome tables_and_figures_fit(checked_plugin& p) {
  describe_trial(p, {});
  return passed();
}

}  // namespace

std::span<const check> description_checks() {
  static constexpr check checks[] = {
      {"B1", "its options and inputs are declared well", "experiment", options_are_declared_well},
      {"B2", "its tables and figures fit each other", "experiment", tables_and_figures_fit},
      {"B3", "its options work at their bounds and with each choice", "experiment",
       options_work_at_their_bounds},
  };
  return checks;
}

}  // namespace depthlens
