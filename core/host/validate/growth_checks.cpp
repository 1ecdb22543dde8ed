// SPDX-License-Identifier: Apache-2.0
// Checks of a plugin in a host of a newer minor number, whose structs are longer, and in one that is to stop.
#include "validate/check.hpp"

#include "depthlens/abi/backend.h"
#include "depthlens/abi/experiment.h"
#include "depthlens/base/abi_error.hpp"
#include "depthlens/reference/weights_view.hpp"
#include "plugins/description_check.hpp"
#include "validate/experiment_trial.hpp"
#include "validate/trial_tokenizer.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace depthlens {
namespace {

// A struct that has grown by members of which the plugin knows nothing; 0 asks for nothing.
template <class Struct>
struct longer {
  Struct known;
  std::uint64_t more[4] = {};

  explicit longer(const Struct& from) : known(from) { known.size = sizeof(longer); }
};

const dlens_host& newer_host() {
  static const longer<dlens_host> host = [] {
    longer<dlens_host> out(*plugin_host());
    constexpr std::uint16_t newer = 99;
    out.known.abi_minor = newer;
    return out;
  }();
  return host.known;
}

// Starts it with a newer host; only then is the host's own one kept from it.
const void* interface_in_newer_host(checked_plugin& p, const char* interface) {
  const dlens_plugin* plugin = load_plugin(p.file);
  if (plugin == nullptr) fail(status::unavailable, p.file.reason);
  if (plugin->init != nullptr) checked_call(plugin->init, &newer_host(), p.file.path.c_str());
  const void* table = plugin->get_interface(interface);
  if (table == nullptr) fail(status::unavailable, "it does not offer ", interface);
  return table;
}

std::vector<dlens_pair> values_for(const dlens_experiment& e, const checked_plugin& p) {
  std::vector<dlens_pair> out;
  for (const dlens_option* o : std::span(e.options, e.n_options)) {
    const auto given = p.options.find(o->id);
    if (given != p.options.end())
      out.push_back({to_text(o->id), to_text(given->second)});
    else if (o->fallback != nullptr)
      out.push_back({to_text(o->id), to_text(o->fallback)});
  }
  return out;
}

outcome experiment_lives_in_newer_host(checked_plugin& p) {
  const auto& e =
      *static_cast<const dlens_experiment*>(interface_in_newer_host(p, DLENS_EXPERIMENT_INTERFACE));
  check_experiment(e);
  const std::vector<dlens_pair> values = values_for(e, p);
  std::vector<longer<dlens_dataset>> sets;
  for (const dlens_input* in : std::span(e.inputs, e.n_inputs))
    sets.emplace_back(dlens_dataset{sizeof(dlens_dataset), 0,
                                    std::string_view(in->set) == "*" ? "trial" : in->set, in->kinds[0]});
  std::vector<const dlens_dataset*> pointers;
  for (const auto& s : sets) pointers.push_back(&s.known);
  const std::array<const char*, 1> labels = {"logit"};
  const longer<dlens_tokenizer> tokenizer(*trial_tokenizer());
  const longer<dlens_run> run({.size = 0,
                               .n_layers = 3,
                               .vocab_size = trial_vocabulary,
                               .max_positions = 512,
                               .flags = 0,
                               .d_model = 8,
                               .n_lenses = 1,
                               .n_datasets = static_cast<std::uint32_t>(pointers.size()),
                               .name = "trial",
                               .lens_labels = labels.data(),
                               .datasets = pointers.data(),
                               .tokenizer = &tokenizer.known,
                               .host = &newer_host()});
  dlens_study* study = nullptr;
  const dlens_description* description = nullptr;
  try {
    checked_call(e.study_create, &run.known, values.data(), std::uint64_t{values.size()}, &study);
    if (study == nullptr) return failed("study_create gave no study");
    checked_call(study->describe, study, &description);
  } catch (const error& why) {
    if (why.code() == status::internal) throw;  // others miss records, which these sets do not have
  }
  if (study != nullptr) study->destroy(study);
  return passed();
}

// Does the backend take a model whose description is `weights`, made with `options`?
std::string refusal_of(const dlens_backend& backend, const dlens_weights& weights,
                       const dlens_model_options& options) {
  dlens_model* model = nullptr;
  try {
    checked_call(backend.model_create, &weights, &options, &model);
  } catch (const error& e) {
    return e.what();
  }
  model->destroy(model);
  return "";
}

// What is wrong where a model asks for an op that no backend knows; empty = it is refused by that name.
std::string passes_over_op(const dlens_backend& backend, const dlens_weights& given,
                           const dlens_model_options& options) {
  static constexpr const char* op = "op of tomorrow";
  dlens_architecture architecture = *given.architecture;
  std::vector<const char*> ops(architecture.ops, architecture.ops + architecture.n_ops);
  ops.push_back(op);
  architecture.ops = ops.data();
  architecture.n_ops = ops.size();
  dlens_weights weights = given;
  weights.architecture = &architecture;
  const std::string why = refusal_of(backend, weights, options);
  if (why.empty()) return cat("it takes a model that asks for the op \"", op, "\", which it cannot know");
  if (why.find(op) == std::string::npos)
    return cat("it refuses a model for an op that it does not know without the op's name: ", why);
  return "";
}

outcome backend_lives_in_newer_host(checked_plugin& p) {
  const auto& backend =
      *static_cast<const dlens_backend*>(interface_in_newer_host(p, DLENS_BACKEND_INTERFACE));
  const reference::random_model model(reference::model_shape{.tied = false});
  const reference::weights_view view(model);
  const dlens_model_options options{
      .size = sizeof options, .threads = 1, .device = "auto", .precision = "f32"};
  if (const std::string why = refusal_of(backend, view.weights, options); !why.empty())
    return skipped("it does not compute the model that is tried: " + why);
  longer<dlens_weights> weights(view.weights);
  longer<dlens_architecture> architecture(*view.weights.architecture);
  weights.known.architecture = &architecture.known;
  longer<dlens_model_options> asked(options);
  if (const std::string why = refusal_of(backend, weights.known, asked.known); !why.empty())
    return failed("it refuses structs that are longer, though nothing more is asked for: " + why);
  std::string taken;
  const auto must_refuse = [&](std::uint64_t& member, const char* what) {
    member = 1;
    if (refusal_of(backend, weights.known, asked.known).empty())
      taken += taken.empty() ? what : cat(", ", what);
    member = 0;
  };
  must_refuse(weights.more[0], "dlens_weights");
  must_refuse(architecture.more[0], "dlens_architecture");
  must_refuse(asked.more[0], "dlens_model_options");
  if (const std::string wrong = passes_over_op(backend, view.weights, options); !wrong.empty())
    return failed(wrong);
  return taken.empty() ? passed() : failed(cat("it passes over members that it does not know in ", taken));
}

outcome ends_when_it_is_asked_to(checked_plugin& p) {
  try {
    tables_of_trial(p, {.stopping = true, .name = "stopping"});
  } catch (const error& e) {
    if (e.code() == status::internal) throw;
  }
  return passed();
}

}  // namespace

std::span<const check> growth_checks() {
  static constexpr check checks[] = {
      {"E1", "it lives in a host of a newer interface, whose structs are longer", "experiment",
       experiment_lives_in_newer_host},
      {"E2", "it takes longer structs, and refuses them where they ask for what it does not know", "backend",
       backend_lives_in_newer_host},
      {"E3", "it does not crash or hang when the host is to stop", "experiment", ends_when_it_is_asked_to},
  };
  return checks;
}

}  // namespace depthlens
