// SPDX-License-Identifier: Apache-2.0
// The changed runs of a pair of prompts: the patch itself and its controls, one of each for every block; and
// what is asked of the model for a target prompt with its sources, in one round.
#pragma once

#include "sides.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace depthlens::patching {

// What takes the place of the target's state at its last position.
enum class kind : std::uint32_t {
  patch,     // the state of the source's last position
  self,      // the target's own: nothing must change
  random,    // a random direction, as long as the source's state
  position,  // the state of another position of the source
  mean,      // the mean of the states of many sources at their last positions
  count
};

inline constexpr std::array<std::string_view, static_cast<std::size_t>(kind::count)> kind_names = {
    "patch", "self", "random", "position", "mean"};
inline constexpr std::array<std::string_view, static_cast<std::size_t>(kind::count)> kind_labels = {
    "patched", "own state (control)", "random vector (control)", "other position (control)",
    "mean state (control)"};

struct run_options {
  std::uint64_t seed = 0;
  bool controls = true;
  bool all_positions = false;  // every position of the target is patched, one at a time, without controls
};

// A changed run: which, at which position of the target, before which block, and its read in the round.
struct changed_run {
  kind of;
  std::size_t source;  // number among the target's sources; 0 where it depends on none
  std::uint64_t position;
  std::uint32_t layer;
  std::uint32_t read;
};

// A target with its sources. Reads: 0 is of the target as it is, 1 + s of source s; then the runs.
struct pair_request {
  const asked_prompt& target;
  const std::vector<asked_prompt>& sources;
  const std::vector<asked_prompt>& mean_of;
  run_options options;
  std::uint32_t n_layers;

  // In the order in which they are asked for.
  std::vector<changed_run> runs() const {
    std::vector<changed_run> out;
    auto read = static_cast<std::uint32_t>(1 + sources.size());
    const auto add = [&](kind of, std::size_t source, std::uint64_t position) {
      for (std::uint32_t layer = 0; layer < n_layers; ++layer)
        out.push_back({of, source, position, layer, read++});
    };
    for (std::size_t s = 0; s < sources.size(); ++s) {
      for (std::uint64_t p = options.all_positions ? 0 : target.last(); p <= target.last(); ++p)
        add(kind::patch, s, p);
      if (!options.controls || options.all_positions) continue;
      add(kind::random, s, target.last());
      if (sources[s].ids.size() > 1) add(kind::position, s, target.last());
    }
    if (!options.controls || options.all_positions) return out;
    add(kind::self, 0, target.last());
    add(kind::mean, 0, target.last());
    return out;
  }

  void ask(const request_view& request) const {
    const std::uint32_t of_target = request.add_sequence(target.ids);
    std::vector<std::int32_t> targets = {-1};
    targets.insert(targets.end(), target.options.begin(), target.options.end());
    request.add_read(of_target, target.last(), targets, 0, DLENS_READ_OUTPUT);
    std::vector<std::uint32_t> of_sources, of_mean;
    for (const asked_prompt& s : sources) {
      of_sources.push_back(request.add_sequence(s.ids));
      request.add_read(of_sources.back(), s.last(), std::array{-1}, 0, DLENS_READ_OUTPUT);
    }
    if (options.controls && !options.all_positions)
      for (const asked_prompt& s : mean_of) of_mean.push_back(request.add_sequence(s.ids));
    for (const changed_run& run : runs()) {
      const state_change change = change_of(run, of_target, of_sources, of_mean);
      request.add_read(request.add_changed(target.ids, {&change, 1}), target.last(), tokens_of(run.source), 0,
                       DLENS_READ_OUTPUT, 0);
    }
  }

 private:
  // Both prompts' own top-1, and the options of both.
  std::vector<std::int32_t> tokens_of(std::size_t source) const {
    std::vector<std::int32_t> out = {-1, DLENS_TARGET_TOP_OF(1 + source)};
    for (const asked_prompt* p : {&sources[source], &target})
      out.insert(out.end(), p->options.begin(), p->options.end());
    return out;
  }

  state_change change_of(const changed_run& run, std::uint32_t of_target,
                         const std::vector<std::uint32_t>& of_sources,
                         const std::vector<std::uint32_t>& of_mean) const {
    state_change out{.position = run.position, .layer = run.layer};
    const asked_prompt& source = sources[run.source];
    if (run.of == kind::self) {
      out.from = {{of_target, target.last()}};
    } else if (run.of == kind::mean) {
      for (std::size_t i = 0; i < of_mean.size(); ++i) out.from.push_back({of_mean[i], mean_of[i].last()});
    } else {
      out.from = {{of_sources[run.source], source.last()}};
      if (run.of == kind::position) out.from[0].position = other_position(source);
    }
    out.random = run.of == kind::random;
    out.seed = cut_generator(options.seed, target.id).next() + run.source;
    return out;
  }

  // Not the last; not position 0 either, which holds the special token in front, unless there is no other.
  std::uint64_t other_position(const asked_prompt& source) const {
    if (source.ids.size() <= 2) return 0;
    cut_generator draw(options.seed + 1, source.id);
    return 1 + draw.below(source.ids.size() - 2);
  }
};

}  // namespace depthlens::patching
