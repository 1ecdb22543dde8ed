// SPDX-License-Identifier: Apache-2.0
// The backend under test, as a host uses it: the plugin, models, lenses, packs and readings with owners.
#pragma once

#include "depthlens/abi/backend.h"
#include "depthlens/abi/plugin.h"
#include "depthlens/base/abi_error.hpp"
#include "depthlens/reference/weights_view.hpp"

#include <boost/dll/shared_library.hpp>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace depthlens::testing {

using namespace reference;  // random models

// The plugin's backend table; loaded once and never unloaded, as its threads may still be winding down at
// exit.
inline const dlens_backend& backend() {
  static const dlens_backend* table = [] {
    const char* path = std::getenv("DEPTHLENS_TEST_BACKEND");
    if (!path) fail(status::usage, "set DEPTHLENS_TEST_BACKEND to the plugin under test");
    static const auto* const library = new boost::dll::shared_library(
        path, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
    const dlens_plugin* plugin = library->get<dlens_entry>(DLENS_ENTRY_SYMBOL)();
    if (plugin->init) checked_call(plugin->init, static_cast<const dlens_host*>(nullptr), path);
    const void* found = plugin->get_interface(DLENS_BACKEND_INTERFACE);
    if (!found) fail(status::unavailable, path, " offers no ", DLENS_BACKEND_INTERFACE);
    return static_cast<const dlens_backend*>(found);
  }();
  return *table;
}

// Whether models are streamed, stage by stage, instead of held (DEPTHLENS_TEST_STREAM=1 says so).
inline bool streams() {
  const char* said = std::getenv("DEPTHLENS_TEST_STREAM");
  return said && *said == '1';
}

// Tokens, some of which share prefixes, and what to read.
struct pack {
  std::vector<std::int32_t> tokens, parent, position;
  std::vector<std::uint8_t> rope_long;
  std::uint32_t long_positions = 0;  // of the model
  std::vector<std::uint32_t> read_token;
  std::vector<std::uint32_t> target_begin{0};
  std::vector<std::int32_t> targets;
  std::uint32_t top_k = 5;

  // Adds the ids that no sequence of the same form before had at the same place; returns the indices of all.
  std::vector<std::uint32_t> add_sequence(const std::vector<std::int32_t>& ids) {
    std::vector<std::uint32_t> path;
    const std::uint8_t is_long = form_of(ids);
    std::int32_t at = -1;
    for (const std::int32_t id : ids) {
      const auto [child, is_new] =
          children_[is_long].try_emplace({at, id}, static_cast<std::int32_t>(tokens.size()));
      if (is_new) add_token(id, at, is_long);
      at = child->second;
      path.push_back(static_cast<std::uint32_t>(at));
    }
    return path;
  }
  std::uint8_t form_of(const std::vector<std::int32_t>& ids) const {
    return long_positions > 0 && ids.size() > long_positions ? 1 : 0;
  }
  void add_token(std::int32_t id, std::int32_t parent_index, std::uint8_t is_long = 0) {
    tokens.push_back(id);
    rope_long.push_back(is_long);
    position.push_back(parent_index < 0 ? 0 : position[static_cast<std::size_t>(parent_index)] + 1);
    parent.push_back(parent_index);
  }
  // A token that continues a kept path of at least `at` tokens.
  std::uint32_t add_behind_prefix(std::int32_t id, std::int32_t at, std::uint8_t is_long = 0) {
    add_token(id, -1, is_long);
    position.back() = at;
    return static_cast<std::uint32_t>(tokens.size() - 1);
  }
  void add_read(std::uint32_t token, const std::vector<std::int32_t>& target_ids) {
    read_token.push_back(token);
    targets.insert(targets.end(), target_ids.begin(), target_ids.end());
    target_begin.push_back(static_cast<std::uint32_t>(targets.size()));
  }

 private:
  std::map<std::pair<std::int32_t, std::int32_t>, std::int32_t> children_[2];  // of each form
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

// Of a pack's reads, in the order of dlens_choices.
struct pack_choices {
  std::uint32_t n_blocks, n_used;
  std::vector<std::int32_t> expert{};
  std::vector<float> weight{}, entropy{};
  dlens_choices table{};

  const dlens_choices* room_for(std::size_t reads) {
    expert.assign(reads * n_blocks * n_used, -2);
    weight.resize(expert.size());
    entropy.resize(reads * n_blocks);
    table = {.size = sizeof table,
             .n_blocks = n_blocks,
             .n_used = n_used,
             .reserved = 0,
             .expert = expert.data(),
             .weight = weight.data(),
             .entropy = entropy.data()};
    return &table;
  }
};

// What a pack may ask for besides its readings; null = it does not.
struct wanted_besides {
  float* hidden = nullptr;  // room for the states of all reads
  pack_choices* choices = nullptr;
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
                        const char* precision = "f32", bool stream = streams()) {
    const dlens_model_options options{.size = sizeof(dlens_model_options),
                                      .threads = threads,
                                      .device = device,
                                      .precision = precision,
                                      .stream = stream ? 1U : 0U,
                                      .reserved = 0};
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

// A path that is kept: the backend's own, or of a streamed model one for each stage.
struct kept_stages {
  std::uint32_t length = 0;  // positions
  std::vector<dlens_prefix*> of_stage;
};

// A model from random weights, and the lenses made for it.
class test_model {
 public:
  explicit test_model(const random_model& weights, std::uint32_t threads = 2, const char* precision = "f32",
                      const char* device = "auto", bool stream = streams())
      : view_(weights),
        model_(view_.weights, threads, device, precision, stream),
        n_layers_(weights.shape.layers) {}
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
                        dlens_prefix** kept = nullptr, const wanted_besides& more = {}) const {
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
                        .n_layers = static_cast<std::uint32_t>(r.layers),
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
    batch.hidden = more.hidden;
    if (more.choices) batch.choices = more.choices->room_for(p.read_token.size());
    if (streamed()) {
      run_stages(batch, out.final_top.data(), pointers.data());
    } else {
      checked_call(model_.get().forward, &model_.get(), &std::as_const(batch), out.final_top.data(),
                   pointers.data());
    }
    return out;
  }

  bool streamed() const { return get().info(&get())->stages > 0; }
  // Frees what forward kept.
  void release(dlens_prefix* kept) const {
    if (!streamed()) return get().prefix_release(&get(), kept);
    const std::unique_ptr<kept_stages> stages(reinterpret_cast<kept_stages*>(kept));
    for (dlens_prefix* p : stages->of_stage)
      if (p) get().prefix_release(&get(), p);
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
            .prefix_length = 0,
            .kept = nullptr,
            .hidden = nullptr,
            .rope_long = p.long_positions > 0 ? p.rope_long.data() : nullptr,
            .choices = nullptr};
  }

  const dlens_model& get() const { return model_.get(); }

 private:
  // As a host takes one pass through a streamed model. The batch's paths are of kept_stages.
  void run_stages(dlens_batch batch, std::int32_t* final_top, const dlens_readings* const* readings) const {
    // Another call's stages would be loaded over these.
    const std::lock_guard<std::mutex> alone(stages_);
    const dlens_model* const m = &get();
    const auto* const continued = reinterpret_cast<const kept_stages*>(batch.prefix);
    auto kept = std::make_unique<kept_stages>();
    dlens_prefix** const place = batch.kept;
    dlens_prefix* made = nullptr;
    batch.prefix_length = continued ? continued->length : 0;
    if (place && batch.keep_token < batch.n_tokens)
      kept->length = static_cast<std::uint32_t>(batch.position[batch.keep_token]) + 1;
    batch.prefix = nullptr;
    batch.kept = place ? &made : nullptr;
    dlens_pass* pass = nullptr;
    checked_call(m->pass_begin, m, &std::as_const(batch), final_top, readings, &pass);
    const std::unique_ptr<dlens_pass, std::function<void(dlens_pass*)>> owner(
        pass, [m](dlens_pass* p) { m->pass_end(m, p); });
    for (std::uint32_t stage = 0; stage < m->info(m)->stages; ++stage) {
      for (std::uint32_t part = 0; part < m->stage_parts(m, stage); ++part)
        checked_call(m->stage_load, m, stage, part);
      made = nullptr;
      const dlens_prefix* const prefix = continued ? continued->of_stage[stage] : nullptr;
      checked_call(m->pass_run, m, pass, stage, prefix, batch.kept);
      kept->of_stage.push_back(made);
    }
    if (place) *place = reinterpret_cast<dlens_prefix*>(kept.release());
  }

  mutable std::mutex stages_;
  weights_view view_;
  loaded_model model_;
  std::uint32_t n_layers_;
  std::vector<dlens_lens*> lenses_;
  std::vector<std::size_t> lens_layers_;
};

}  // namespace depthlens::testing
