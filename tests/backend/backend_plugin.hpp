// SPDX-License-Identifier: Apache-2.0
// The backend under test, as a host uses it: the plugin, models, lenses, packs and readings with owners.
#pragma once

#include "random_model.hpp"

#include "depthlens/abi/backend.h"
#include "depthlens/abi/plugin.h"
#include "depthlens/base/abi_error.hpp"

#include <boost/dll/shared_library.hpp>

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace depthlens::testing {

// The plugin's backend table; loaded once and never unloaded, as its threads may still be winding down at
// exit.
inline const dlens_backend& backend() {
  static const dlens_backend* table = [] {
    const char* path = std::getenv("DEPTHLENS_TEST_BACKEND");
    if (!path) fail(status::usage, "set DEPTHLENS_TEST_BACKEND to the plugin under test");
    static const auto* const library = new boost::dll::shared_library(
        path, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
    const dlens_plugin* plugin = library->get<dlens_entry>(DLENS_ENTRY_SYMBOL)();
    if (plugin->init) checked_call(plugin->init, static_cast<const dlens_host*>(nullptr));
    const void* found = plugin->get_interface(DLENS_BACKEND_INTERFACE);
    if (!found) fail(status::unavailable, path, " offers no ", DLENS_BACKEND_INTERFACE);
    return static_cast<const dlens_backend*>(found);
  }();
  return *table;
}

// Tokens, some of which share prefixes, and what to read.
struct pack {
  std::vector<std::int32_t> tokens, parent, position;
  std::vector<std::uint32_t> read_token;
  std::vector<std::uint32_t> target_begin{0};
  std::vector<std::int32_t> targets;
  std::uint32_t top_k = 5;

  // Adds the ids that no sequence before had at the same place; returns the indices of all.
  std::vector<std::uint32_t> add_sequence(const std::vector<std::int32_t>& ids) {
    std::vector<std::uint32_t> path;
    std::int32_t at = -1;
    for (const std::int32_t id : ids) {
      const auto [child, is_new] = children_.try_emplace({at, id}, static_cast<std::int32_t>(tokens.size()));
      if (is_new) add_token(id, at);
      at = child->second;
      path.push_back(static_cast<std::uint32_t>(at));
    }
    return path;
  }
  void add_token(std::int32_t id, std::int32_t parent_index) {
    tokens.push_back(id);
    position.push_back(parent_index < 0 ? 0 : position[static_cast<std::size_t>(parent_index)] + 1);
    parent.push_back(parent_index);
  }
  // A token that continues a kept path of at least `at` tokens.
  std::uint32_t add_behind_prefix(std::int32_t id, std::int32_t at) {
    add_token(id, -1);
    position.back() = at;
    return static_cast<std::uint32_t>(tokens.size() - 1);
  }
  void add_read(std::uint32_t token, const std::vector<std::int32_t>& target_ids) {
    read_token.push_back(token);
    targets.insert(targets.end(), target_ids.begin(), target_ids.end());
    target_begin.push_back(static_cast<std::uint32_t>(targets.size()));
  }

 private:
  std::map<std::pair<std::int32_t, std::int32_t>, std::int32_t> children_;
};

// Readings of one lens, in the order of dlens_readings.
struct lens_readings {
  std::size_t layers = 0;
  std::vector<std::uint32_t> rank, ties;
  std::vector<float> logprob, entropy, kl;
  std::vector<std::int32_t> top;
  std::vector<float> top_logprob;
};

struct pack_readings {
  std::vector<std::int32_t> final_top;
  std::vector<lens_readings> lenses;
};

struct transport_spec {
  std::uint32_t layer;
  std::uint32_t form = DLENS_TRANSPORT_IDENTITY;
  std::vector<float> a{}, b{};

  // As the interface has it; points into this.
  dlens_transport table() const {
    return {.size = sizeof(dlens_transport),
            .layer = layer,
            .form = form,
            .reserved = 0,
            .a = a.empty() ? nullptr : a.data(),
            .b = b.empty() ? nullptr : b.data()};
  }
};

class loaded_model {
 public:
  explicit loaded_model(const dlens_weights& weights, std::uint32_t threads = 2, const char* device = "auto",
                        const char* precision = "f32") {
    const dlens_model_options options{sizeof(dlens_model_options), threads, device, precision};
    checked_call(backend().model_create, &weights, &options, &model_);
  }
  ~loaded_model() {
    if (model_) model_->destroy(model_);
  }
  loaded_model(const loaded_model&) = delete;
  loaded_model& operator=(const loaded_model&) = delete;

  const dlens_model& get() const { return *model_; }

 private:
  dlens_model* model_ = nullptr;
};

// A model from random weights, and the lenses made for it.
class test_model {
 public:
  explicit test_model(const random_model& weights, std::uint32_t threads = 2, const char* precision = "f32",
                      const char* device = "auto")
      : view_(weights), model_(view_.weights, threads, device, precision), n_layers_(weights.shape.layers) {}
  test_model(const dlens_weights& weights, std::uint32_t n_layers, std::uint32_t threads)
      : view_(random_model({.layers = 1})), model_(weights, threads), n_layers_(n_layers) {}
  ~test_model() {
    for (dlens_lens* lens : lenses_) model_.get().lens_destroy(&model_.get(), lens);
  }

  // Readings are in the order in which the lenses were added.
  void add_lens(const std::vector<transport_spec>& layers) {
    std::vector<dlens_transport> made;
    for (const transport_spec& t : layers) made.push_back(t.table());
    std::vector<const dlens_transport*> pointers;
    for (const dlens_transport& t : made) pointers.push_back(&t);
    dlens_lens* lens = nullptr;
    checked_call(model_.get().lens_create, &model_.get(), std::uint64_t{pointers.size()}, pointers.data(),
                 &lens);
    lenses_.push_back(lens);
    lens_layers_.push_back(layers.size());
  }
  void add_logit_lens() {
    std::vector<transport_spec> layers;
    for (std::uint32_t i = 0; i <= n_layers_; ++i) layers.push_back({i});
    add_lens(layers);
  }

  // prefix: the kept path that the pack continues; kept: where the path to keep_token goes.
  pack_readings forward(const pack& p, const dlens_prefix* prefix = nullptr, std::uint32_t keep_token = 0,
                        dlens_prefix** kept = nullptr) const {
    pack_readings out;
    out.final_top.resize(p.read_token.size());
    std::vector<dlens_readings> tables;
    for (const std::size_t layers : lens_layers_) {
      lens_readings& r = out.lenses.emplace_back();
      r.layers = layers;
      const std::size_t reads = p.read_token.size(), targets = p.targets.size();
      r.rank.resize(targets * layers);
      r.ties.resize(targets * layers);
      r.logprob.resize(targets * layers);
      r.entropy.resize(reads * layers);
      r.kl.resize(reads * layers);
      r.top.resize(reads * layers * p.top_k);
      r.top_logprob.resize(reads * layers * p.top_k);
    }
    for (lens_readings& r : out.lenses) {
      tables.push_back({.size = sizeof(dlens_readings),
                        .reserved = 0,
                        .rank = r.rank.data(),
                        .ties = r.ties.data(),
                        .logprob = r.logprob.data(),
                        .entropy = r.entropy.data(),
                        .kl = r.kl.data(),
                        .top = r.top.data(),
                        .top_logprob = r.top_logprob.data()});
    }
    std::vector<const dlens_readings*> pointers;
    for (const dlens_readings& t : tables) pointers.push_back(&t);
    dlens_batch batch = batch_of(p);
    batch.prefix = prefix;
    batch.keep_token = keep_token;
    batch.kept = kept;
    checked_call(model_.get().forward, &model_.get(), &batch, out.final_top.data(), pointers.data());
    return out;
  }

  const dlens_model& table() const { return model_.get(); }

  dlens_batch batch_of(const pack& p) const {
    return {.size = sizeof(dlens_batch),
            .n_tokens = static_cast<std::uint32_t>(p.tokens.size()),
            .tokens = p.tokens.data(),
            .parent = p.parent.data(),
            .position = p.position.data(),
            .n_reads = static_cast<std::uint32_t>(p.read_token.size()),
            .top_k = p.top_k,
            .read_token = p.read_token.data(),
            .target_begin = p.target_begin.data(),
            .targets = p.targets.data(),
            .n_lenses = static_cast<std::uint32_t>(lenses_.size()),
            .reserved = 0,
            .lenses = lenses_.data(),
            .prefix = nullptr,
            .keep_token = 0,
            .reserved2 = 0,
            .kept = nullptr,
            .hidden = nullptr};
  }

  const dlens_model& get() const { return model_.get(); }

 private:
  weights_view view_;
  loaded_model model_;
  std::uint32_t n_layers_;
  std::vector<dlens_lens*> lenses_;
  std::vector<std::size_t> lens_layers_;
};

}  // namespace depthlens::testing
