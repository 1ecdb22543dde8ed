// SPDX-License-Identifier: Apache-2.0
// Checks of a backend at work, on small models with random weights, beside depthlens/reference.
#include "validate/check.hpp"

#include "depthlens/base/error.hpp"
#include "validate/backend_trial.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace depthlens {
namespace {

using shape = reference::model_shape;
using reference::random_model;

constexpr std::size_t n_sequences = 9, longest = 23;

const dlens_backend& backend_of(checked_plugin& p) {
  const dlens_plugin* plugin = load_plugin(p.file);
  if (plugin == nullptr) fail(status::unavailable, p.file.reason);
  const auto* table = static_cast<const dlens_backend*>(plugin->get_interface(DLENS_BACKEND_INTERFACE));
  if (table == nullptr) fail(status::unavailable, "it does not offer " DLENS_BACKEND_INTERFACE);
  return *table;
}

// Forms of models that are common; a backend need not have all.
std::vector<std::pair<const char*, shape>> shapes() {
  shape gpt2{.kv_heads = 4,
             .rope_dims = 0,
             .biased = true,
             .norm_kind = DLENS_NORM_LAYER,
             .activation = DLENS_ACTIVATION_GELU_TANH,
             .norm_biases = true,
             .gated = false,
             .learned_positions = true};
  return {{"Llama", {.tied = false}}, {"Qwen 3", {.qk = reference::qk_norm::each_head}}, {"GPT-2", gpt2}};
}

// Calls fn(name, weights, model) for every form that the backend computes; skipped where there is none.
template <class Function>
outcome of_each_form(checked_plugin& p, Function&& fn) {
  const dlens_backend& backend = backend_of(p);
  std::string refusals;
  bool any = false;
  for (const auto& [name, shape] : shapes()) {
    const random_model weights(shape);
    std::unique_ptr<trial_model> model;
    try {
      model = std::make_unique<trial_model>(backend, weights);
    } catch (const error& e) {
      if (e.code() == status::internal) return failed(cat("a model of the form of ", name, ": ", e.what()));
      refusals += cat(refusals.empty() ? "" : "; ", name, ": ", e.what());
      continue;
    }
    any = true;
    if (const outcome o = fn(name, weights, *model); o.result != verdict::pass) return o;
  }
  return any ? passed() : skipped("it computes none of the models that are tried: " + refusals);
}

outcome agrees_with_the_reference(checked_plugin& p) {
  return of_each_form(p, [](const char* name, const random_model& weights, const trial_model& model) {
    const sequences all = random_sequences(weights.shape.vocabulary, n_sequences, longest);
    const std::string other = difference(weights, all, model.read(all));
    return other.empty() ? passed() : failed(cat("a model of the form of ", name, ": ", other));
  });
}

outcome packs_do_not_count(checked_plugin& p) {
  return of_each_form(p, [](const char* name, const random_model& weights, const trial_model& model) {
    const sequences all = random_sequences(weights.shape.vocabulary, n_sequences, longest);
    const trial_readings together = model.read(all);
    bool same_bits = true;
    for (std::size_t s = 0; s < all.size(); ++s) {
      const trial_readings alone = model.read({all[s]});
      const std::string other = difference(weights, {all[s]}, alone);
      if (!other.empty()) return failed(cat("a model of the form of ", name, ", one by one: ", other));
      same_bits = same_bits &&
                  std::equal(alone.entropy.begin(), alone.entropy.end(),
                             together.entropy.begin() + static_cast<std::ptrdiff_t>(s * together.layers));
    }
    return same_bits ? passed() : warned("the last bits of readings depend on what else is in the pack");
  });
}

outcome calls_at_once_do_not_count(checked_plugin& p) {
  return of_each_form(p, [](const char* name, const random_model& weights, const trial_model& model) {
    const sequences all = random_sequences(weights.shape.vocabulary, n_sequences, longest);
    const trial_readings once = model.read(all);
    constexpr std::size_t threads = 4, calls = 8;
    std::vector<std::string> problems(threads);
    {
      std::vector<std::jthread> workers;
      for (std::size_t t = 0; t < threads; ++t)
        workers.emplace_back([&, t] {
          try {
            for (std::size_t i = 0; i < calls; ++i)
              if (model.read(all) != once) problems[t] = "other readings";
          } catch (const std::exception& e) {
            problems[t] = e.what();
          }
        });
    }
    for (const std::string& problem : problems)
      if (!problem.empty())
        return failed(cat("a model of the form of ", name, ", 4 calls at once: ", problem));
    return passed();
  });
}

outcome refuses_what_is_missing(checked_plugin& p) {
  const dlens_backend& backend = backend_of(p);
  return of_each_form(p, [&](const char* name, const random_model& weights, const trial_model&) {
    random_model broken = weights;
    broken.tensors.erase("block.0.q");
    try {
      trial_model made(backend, broken);
    } catch (const error& e) {
      return std::string_view(e.what()).find("no reason was given") == std::string_view::npos
                 ? passed()
                 : failed(cat("a model of the form of ", name,
                              " without block.0.q is refused without a reason"));
    }
    return failed(cat("it takes a model of the form of ", name, " without block.0.q"));
  });
}

std::size_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::size_t all = 0, resident = 0;
  in >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

outcome gives_memory_back(checked_plugin& p) {
  const dlens_backend& backend = backend_of(p);
  return of_each_form(p, [&](const char* name, const random_model& weights, const trial_model&) {
    const sequences all = random_sequences(weights.shape.vocabulary, n_sequences, longest);
    const auto once = [&] { trial_model(backend, weights).read(all); };
    constexpr int warm = 20, times = 100;
    for (int i = 0; i < warm; ++i) once();
    const std::size_t before = resident_bytes();
    for (int i = 0; i < times; ++i) once();
    const std::size_t after = resident_bytes();
    constexpr std::size_t most = 8u << 20;
    if (after > before + most)
      return failed(cat("a model of the form of ", name, ": ", times, " times made and freed take ",
                        (after - before) >> 20, " MiB that do not come back"));
    return passed();
  });
}

}  // namespace

std::span<const check> backend_checks() {
  static constexpr check checks[] = {
      {"C2", "its readings are those of the reference", "backend", agrees_with_the_reference},
      {"C3", "its readings do not depend on what else is in a pack", "backend", packs_do_not_count},
      {"C4", "its readings do not depend on other calls at the same time", "backend",
       calls_at_once_do_not_count},
      {"C5", "it refuses a model that lacks a tensor, and says so", "backend", refuses_what_is_missing},
      {"C6", "it gives back the memory of models", "backend", gives_memory_back},
  };
  return checks;
}

}  // namespace depthlens
